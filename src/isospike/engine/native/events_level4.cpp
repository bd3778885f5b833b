#define LEVEL level4
#include "events_kernel.hpp"
