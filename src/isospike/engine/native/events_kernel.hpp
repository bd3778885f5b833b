// The kernels of events.hpp, compiled once for each vector width: a file that includes this one
// defines LEVEL. Nothing inline from elsewhere may be used here: the linker keeps one copy of an
// inline function, which may be the one for another processor.
#include "events.hpp"
#include "events_collect.hpp"
#include "events_lists.hpp"
#include "events_pool.hpp"
#include "events_scatter.hpp"
#include "events_vectors.hpp"

namespace isospike::events {
namespace {

template <int N, class Rule, bool direct>
bool fire_layer(const Layer& layer, int threads) {
    return layer.scatter ? scatter<N, Rule, direct>(layer, threads)
                         : collect<N, Rule, direct>(layer, threads);
}

template <int N>
bool fire_layer(const Layer& layer, int threads) {
    if (simple(layer)) return fire_layer<N, Plain, true>(layer, threads);
    switch (layer.neuron.kind) {
        case Kind::plain: return fire_layer<N, Plain, false>(layer, threads);
        case Kind::graded: return fire_layer<N, Graded, false>(layer, threads);
        default: return fire_layer<N, Paired, false>(layer, threads);
    }
}

bool fire(const Layer& layer, int threads) {
    if (layer.batch == 0) return true;
    switch (layer.block / LANES) {
        case 1: return fire_layer<1>(layer, threads);
        case 2: return fire_layer<2>(layer, threads);
        default: return fire_layer<4>(layer, threads);
    }
}

}  // namespace

extern const Kernels LEVEL;
const Kernels LEVEL{LANES, list, pool, sum, fire, count};

}  // namespace isospike::events
