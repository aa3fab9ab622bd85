#include "kernels/cudnn/plan.h"

#include <algorithm>

#include "kernels/common/checks.h"
#include "kernels/common/cuda_library.h"

namespace dsf::cudnn {

Functions::Functions() {
  cuda::CudaLibrary library(fmt::format("libcudnn.so.{}", CUDNN_MAJOR));
#define DSF_FIND(function) library.find(#function, function);
  DSF_CUDNN_FUNCTIONS(DSF_FIND)
#undef DSF_FIND
#undef DSF_CUDNN_FUNCTIONS
  missing = library.lacks();
}

const Functions& functions() {
  static const Functions functions;
  return functions;
}

void check(cudnnStatus_t status, const char* step) {
  if (status == CUDNN_STATUS_SUCCESS) return;
  char reason[1024] = "";
  functions().cudnnGetLastErrorString(reason, sizeof reason);
  fail("cuDNN, {}: {} ({})", step, functions().cudnnGetErrorString(status), reason);
}

Descriptor::Descriptor(cudnnBackendDescriptorType_t type) {
  check(functions().cudnnBackendCreateDescriptor(type, &handle_), "creating a description");
}

Descriptor::~Descriptor() {
  if (handle_) functions().cudnnBackendDestroyDescriptor(handle_);
}

cudnnStatus_t Descriptor::try_finalize() {
  return functions().cudnnBackendFinalize(handle_);
}

void Descriptor::set_all(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                         int64_t count, const void* values) {
  check(functions().cudnnBackendSetAttribute(handle_, name, type, count, values), "describing");
}

int64_t Descriptor::get_all(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                            int64_t most, void* values) const {
  int64_t count = 0;
  check(functions().cudnnBackendGetAttribute(handle_, name, type, most, &count, values),
        "reading a description");
  return std::min(count, most);
}

Target::Target(std::string_view json)
    : properties_(Descriptor(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR)) {
  properties_->set(CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR,
                   std::vector<char>(json.begin(), json.end()));
  properties_->finalize();
}

void Target::set_of_graph(Descriptor& graph) const {
  if (handle_) graph.set(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, handle_);
}

void Target::set_of_search(Descriptor& search) const {
  if (properties_) search.set(CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, *properties_);
}

void Target::set_of_plan(Descriptor& plan) const {
  if (handle_) plan.set(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, handle_);
  if (properties_) plan.set(CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, *properties_);
}

namespace {

constexpr int64_t kMostWorkspace = int64_t{512} << 20;
constexpr int64_t kMostConfigurations = 64;

/// A tensor [first, channels, 1, places] whose channels are stored last.
Descriptor tensor(TensorId id, int64_t first, int64_t channels, int64_t places) {
  Descriptor made(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  made.set(CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, CUDNN_DATA_FLOAT);
  made.set(CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64,
           std::vector<int64_t>{first, channels, 1, places});
  made.set(CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64,
           std::vector<int64_t>{places * channels, 1, places * channels, channels});
  made.set(CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, int64_t{id});
  made.set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, int64_t{16});
  made.finalize();
  return made;
}

/// Along the second of two dimensions, of which the first has one place.
Descriptor geometry(const Convolution& c) {
  Descriptor made(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
  const auto set = [&](cudnnBackendAttributeName_t name, int64_t first, int64_t second) {
    made.set(name, CUDNN_TYPE_INT64, std::vector<int64_t>{first, second});
  };
  made.set(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, CUDNN_DATA_FLOAT);
  made.set(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, CUDNN_CROSS_CORRELATION);
  made.set(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64, int64_t{2});
  set(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, 1, c.stride);
  set(CUDNN_ATTR_CONVOLUTION_DILATIONS, 1, c.dilation);
  set(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, 0, c.padding);
  set(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, 0, c.padding);
  made.finalize();
  return made;
}

/// How a convolution, or the gradient of one in its data, names what it is of.
struct Names {
  cudnnBackendDescriptorType_t operation;
  cudnnBackendAttributeName_t geometry, alpha, beta, x, w, y;
};
constexpr Names kForward = {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
                            CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
                            CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
                            CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA,
                            CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
                            CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
                            CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y};
constexpr Names kTransposed = {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
                               CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
                               CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
                               CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA,
                               CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
                               CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
                               CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX};

/// A graph of one operation, which keeps what it is made of.
struct Graph {
  Descriptor x, w, y, along, operation, graph;

  Graph(const Target& target, const Convolution& c)
      : x(tensor(kX, c.sequences, c.inputs, c.frames)),
        w(c.transposed ? tensor(kW, c.inputs, c.outputs, c.kernel)
                       : tensor(kW, c.outputs, c.inputs, c.kernel)),
        y(tensor(kY, c.sequences, c.outputs, c.length)),
        along(geometry(c)),
        operation((c.transposed ? kTransposed : kForward).operation),
        graph(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR) {
    const Names& names = c.transposed ? kTransposed : kForward;
    operation.set(names.geometry, along);
    operation.set(names.x, x);
    operation.set(names.w, w);
    operation.set(names.y, y);
    operation.set(names.alpha, CUDNN_TYPE_FLOAT, 1.0F);
    operation.set(names.beta, CUDNN_TYPE_FLOAT, 0.0F);
    operation.finalize();
    target.set_of_graph(graph);
    graph.set(CUDNN_ATTR_OPERATIONGRAPH_OPS, operation);
    graph.finalize();
  }
};

/// What cuDNN would run the graph by, the best first as it believes; none where it knows none.
std::vector<Descriptor> configurations(const Target& target, const Graph& graph) {
  Descriptor heuristic(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
  heuristic.set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph.graph);
  heuristic.set(CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, CUDNN_HEUR_MODE_A);
  target.set_of_search(heuristic);
  if (heuristic.try_finalize() != CUDNN_STATUS_SUCCESS) return {};
  std::vector<Descriptor> found;
  std::vector<cudnnBackendDescriptor_t> handles;
  for (int64_t i = 0; i < kMostConfigurations; ++i) {
    found.emplace_back(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
    handles.push_back(found.back().handle());
  }
  found.erase(found.begin() + heuristic.fill(CUDNN_ATTR_ENGINEHEUR_RESULTS, handles), found.end());
  return found;
}

std::vector<cudnnBackendNumericalNote_t> notes_of(const Descriptor& configuration) {
  Descriptor engine(CUDNN_BACKEND_ENGINE_DESCRIPTOR);
  configuration.fill(CUDNN_ATTR_ENGINECFG_ENGINE, {engine.handle()});
  return engine.get<cudnnBackendNumericalNote_t>(
      CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE, CUDNN_NUMERICAL_NOTE_TYPE_COUNT);
}

/// Tensor cores round float32 to TF32; transforms by FFT and Winograd round more than sums do.
bool is_allowed(cudnnBackendNumericalNote_t note, Precision precision) {
  switch (note) {
    case CUDNN_NUMERICAL_NOTE_STRICT_NAN_PROP:
      return true;
    case CUDNN_NUMERICAL_NOTE_TENSOR_CORE:
      return precision != Precision::fp32;
    default:
      return false;
  }
}

}  // namespace

// Beyond its first choices cuDNN has engines for whatever others do not do; ours are for that.
std::optional<Plan> find_plan(const Target& target, const Convolution& convolution,
                              Precision precision) {
  const Graph graph(target, convolution);
  for (const Descriptor& configuration : configurations(target, graph)) {
    const std::vector<cudnnBackendNumericalNote_t> notes = notes_of(configuration);
    const auto allowed = [&](auto note) { return is_allowed(note, precision); };
    if (!std::ranges::all_of(notes, allowed)) continue;
    Descriptor plan(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
    plan.set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, configuration);
    target.set_of_plan(plan);
    if (plan.try_finalize() != CUDNN_STATUS_SUCCESS) continue;
    const int64_t bytes =
        plan.get<int64_t>(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64, 1).at(0);
    if (bytes <= kMostWorkspace) return Plan{std::move(plan), bytes, notes};
  }
  return std::nullopt;
}

}  // namespace dsf::cudnn
