#pragma once

#include <memory>

#include "dlp/detector.h"
#include "dlp/document_index.h"

namespace sentinel::dlp {

// Documents, or whole files, of an open index as a source. A document is reported once per stream, at its end, with the
// share of its windows that were found; the place is that of the first.
std::shared_ptr<const Source> documentSource(std::shared_ptr<const DocumentIndex> index);

}  // namespace sentinel::dlp
