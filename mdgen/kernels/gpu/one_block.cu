// Many steps in one launch: a block has a replica to itself, all places in shared memory.
//
// Without a thermostat no velocities are needed between two half kicks: the second waits for the next drift, as
// do the factors that a thermostat gives them.

extern "C" __global__ void __launch_bounds__(MOST_THREADS) integrate(PARAMETERS, int n_steps, double dt, double longest,
                                                                     double* value, const double* number,
                                                                     const double* constant, double prerounding) {
    extern __shared__ Place places[];
    __shared__ int flags[2];
    Replica s = replica(ARGUMENTS);
    Pair* pairs = (Pair*)(places + n);
    int t = threadIdx.x;
    if (s.status[FLAGS] & (FROZEN | FULL)) return;
    for (int i = t; i < n; i += blockDim.x) places[i] = s.place[i];
    for (int k = t; k < n_species * n_species; k += blockDim.x) pairs[k] = ((const Pair*)law)[k];
    if (t == 0) flags[0] = 0;
#ifdef COUPLED
    number += (size_t)s.status[N_COUPLED] * N_NUMBERS * gridDim.y;
    double after = 1;  // factor of all velocities, which the next drift multiplies
#endif
    __syncthreads();
    for (int step = 0; step < n_steps; ++step) {
#ifdef COUPLED
        Kick kick = {after, 1, 1};
        if (HAS_BEFORE) kick.before = rescaling(0, twice_kinetic(s, prerounding, after), value, number, constant);
#else
        Kick kick = {1, 1, step ? 2 : 1};
#endif
        int* flag = flags + step % 2;
        for (int i = t; i < n; i += blockDim.x) drift(s, places, i, dt, longest, kick, flag);
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
#ifdef COUPLED
        double sum = 0;
        for (int i = t; i < n; i += blockDim.x) {
            push(s, places, pairs, i, dt, true);
            sum += prerounded_square(s, i, prerounding, 1);
        }
        after = rescaling(1, sum_of_block(sum), value, number, constant);
        number += N_NUMBERS * gridDim.y;
#else
        for (int i = t; i < n; i += blockDim.x) push(s, places, pairs, i, dt, step + 1 == n_steps);
        __syncthreads();
#endif
    }
#ifdef COUPLED
    rescale(s, after);
    if (t == 0) s.status[N_COUPLED] += n_steps;
#endif
}
