#include "kernels/common/context.h"

#include "kernels/common/checks.h"

namespace dsf {

Device parse_device(std::string_view name) {
  if (name == "cpu") return Device::cpu;
  if (name == "cuda") {
    fail_usage("--device cuda: dsf does not run on a GPU yet; available: cpu");
  }
  fail_usage("--device {}: unknown device; available: cpu", name);
}

}  // namespace dsf
