// Dates as people write them: 2024-03-31, 31.03.2024, 3/31/24, 31 March 2024, Mar 31, 2024, 31 de marzo de 2024,
// 2024年3月31日, 20240331, 2024-03-31T12:00:00Z.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "dlp/edm_value.h"
#include "dlp/fold.h"

namespace sentinel::dlp {

struct DateReading {
  size_t count = 0;  // 03/04/2024 has two readings
  uint32_t dates[2] = {0, 0};  // year * 10000 + month * 100 + day
};

std::string dateText(uint32_t date);

// The date that the tokens from `first` on write, in every way it can be read.
DateReading readDateTokens(const std::string &folded, const std::vector<Token> &tokens, size_t first, DateOrder order);

DateReading readDate(const std::string &cell, DateOrder order);

}  // namespace sentinel::dlp
