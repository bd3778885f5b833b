#define LEVEL baseline
#include "events_kernel.hpp"
