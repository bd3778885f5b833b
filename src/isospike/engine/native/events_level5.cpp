#define LEVEL level5
#include "events_kernel.hpp"
