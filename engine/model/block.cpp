#include "engine/model/block.h"

namespace dsf {

std::unique_ptr<Block> make_block(const Builder& build, int64_t layer) {
  switch (build.config.model_class) {
    case ModelClass::rope_concat:
    case ModelClass::postnorm_concat:
      return make_concat_block(build, layer);
    case ModelClass::rope_film:
      return make_film_block(build, layer);
    case ModelClass::rope_adaln:
      return make_adaln_block(build, layer);
    case ModelClass::streaming:
      return make_streaming_block(build, layer);
  }
  fail("class number {}", static_cast<int>(build.config.model_class));
}

}  // namespace dsf
