// Many steps in one launch: a block has a replica to itself, all places in shared memory.

// Without a thermostat nobody looks at velocities between two halves of a kick: the second waits for the next drift.
#ifdef COUPLED
#define KICKS_TOGETHER false
#else
#define KICKS_TOGETHER true
#endif

extern "C" __global__ void __launch_bounds__(MARCHING) march(BATCH, int n_steps, double dt, double longest,
                                                                 double* value, const double* number,
                                                                 const double* constant, double grain) {
    extern __shared__ Place places[];
    __shared__ int flags[2];
    Replica s = replica(THIS);
    Pair* pairs = (Pair*)(places + n);
    int t = threadIdx.x;
    if (s.status[FLAGS] & (FROZEN | FULL)) return;
    for (int i = t; i < n; i += blockDim.x) places[i] = s.place[i];
    for (int k = t; k < n_species * n_species; k += blockDim.x) pairs[k] = ((const Pair*)law)[k];
    if (t == 0) flags[0] = 0;
#ifdef COUPLED
    number += (size_t)s.status[N_COUPLED] * N_NUMBERS * gridDim.y;
#endif
    __syncthreads();
    for (int step = 0; step < n_steps; ++step) {
#ifdef COUPLED
        if (HAS_BEFORE) couple(s, 0, value, number, constant, grain);
#endif
        int* flag = flags + step % 2;
        for (int i = t; i < n; i += blockDim.x) drift(s, places, i, dt, longest, KICKS_TOGETHER && step ? 2 : 1, flag);
        __syncthreads();
        if (*flag & FROZEN) {
            if (t == 0) s.status[FLAGS] = FROZEN;
            return;
        }
        if (*flag & PRUNE) {  // only now it matters whether the outer list still holds
            for (int i = t; i < n; i += blockDim.x)
                if (wears_out(s, places[i], s.built[i], 1)) atomicOr(flag, BUILD);
            __syncthreads();
            if (*flag & BUILD) {
                for (int chunk = t; chunk < (n + CHUNK - 1) / CHUNK; chunk += blockDim.x) enclose(s, places, chunk);
                __syncthreads();
                for (int i = t; i < n; i += blockDim.x) build(s, places, i, flag);
            }
            for (int i = t; i < n; i += blockDim.x) prune(s, places, i, flag);
            if (t == 0) tally(s, *flag);
            __syncthreads();
        }
        if (*flag & FULL) {
            if (t == 0) s.status[FLAGS] = FULL;
            return;
        }
        if (t == 0) flags[1 - step % 2] = 0;
        for (int i = t; i < n; i += blockDim.x) push(s, places, pairs, i, dt, !KICKS_TOGETHER || step + 1 == n_steps);
        __syncthreads();
#ifdef COUPLED
        couple(s, 1, value, number, constant, grain);
        number += N_NUMBERS * gridDim.y;
#endif
    }
#ifdef COUPLED
    if (t == 0) s.status[N_COUPLED] += n_steps;
#endif
}
