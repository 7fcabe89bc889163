// Exact matches of protected rows in a stream.
#pragma once

#include <memory>

#include "dlp/detector.h"
#include "dlp/edm_index.h"

namespace sentinel::dlp {

// Finds rows of `index`; the index is shared and stays open as long as the source lives. `all`: a hit names every secondary
// that is near, not only as many as make it one.
std::shared_ptr<const Source> edmSource(std::shared_ptr<const Index> index, bool all = false);

}  // namespace sentinel::dlp
