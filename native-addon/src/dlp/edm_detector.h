// Exact matches of protected rows in a stream.
#pragma once

#include <memory>

#include "dlp/detector.h"
#include "dlp/edm_index.h"

namespace sentinel::dlp {

// Finds rows of `index`; the index is shared and stays open as long as the source lives.
std::shared_ptr<const Source> edmSource(std::shared_ptr<const Index> index);

}  // namespace sentinel::dlp
