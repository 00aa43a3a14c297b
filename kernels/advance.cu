// advance: clock[0] = (clock[0] + rows) mod period, clock[1] = clock[1] + 1: the cursor into the order, and the step.
// One thread. Bound by the latency of a launch.
#include "clock.cuh"

extern "C" __global__ void advance(unsigned* clock, // [2]
                                   unsigned rows, unsigned period) {
    Clock(clock).move(clock, rows, period);
}
