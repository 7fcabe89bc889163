// Dates as people write them: 2024-03-31, 31.03.2024, 3/31/24, 31 March 2024, Mar 31, 2024, 20240331.
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

// The date that the tokens [first, first + used) write, in every way it can be read. *used is 1 or 3.
DateReading readDateTokens(const std::string &folded, const std::vector<Token> &tokens, size_t first, DateOrder order, size_t *used);

DateReading readDate(const std::string &cell, DateOrder order);

}  // namespace sentinel::dlp
