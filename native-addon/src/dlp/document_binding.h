#pragma once

#include <napi.h>

namespace sentinel::dlp {

// Adds DlpDocumentBuilder and openDocuments(path, key).
void defineDocuments(Napi::Env env, Napi::Object exports);

}  // namespace sentinel::dlp
