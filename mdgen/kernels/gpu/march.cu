// Many steps in one launch: a block has a replica to itself, all places in shared memory.

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
    __syncthreads();
    for (int step = 0; step < n_steps; ++step) {
#ifdef COUPLED
        if (HAS_BEFORE) couple(s, 0, value, number, constant, grain);
#endif
        int* flag = flags + step % 2;
        for (int i = t; i < n; i += blockDim.x) drift(s, places, i, dt, longest, flag);
        __syncthreads();
        if (*flag & FROZEN) {
            if (t == 0) s.status[FLAGS] = FROZEN;
            return;
        }
        if (*flag & PRUNE) {
            if (*flag & BUILD) {
                arrange(s, places);
                for (int first = 0; first < n; first += blockDim.x) build(s, places, first + t, Trying{}, flag);
                __syncthreads();
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
        for (int i = t; i < n; i += blockDim.x) push(s, places, pairs, i, dt);
        __syncthreads();
#ifdef COUPLED
        couple(s, 1, value, number, constant, grain);
        number += N_NUMBERS * gridDim.y;
#endif
    }
}
