// advance: clock[0] = (clock[0] + rows) mod period, clock[1] = clock[1] + 1: the cursor into the order, and the step.
// One thread. Bound by the latency of a launch.

extern "C" __global__ void advance(unsigned* clock, // [2]
                                   unsigned rows, unsigned period) {
    clock[0] = (unsigned)(((unsigned long long)clock[0] + rows) % period);
    clock[1] = clock[1] + 1;
}
