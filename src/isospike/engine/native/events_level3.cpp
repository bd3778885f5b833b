#define LEVEL level3
#include "events_kernel.hpp"
