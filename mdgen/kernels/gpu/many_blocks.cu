// A step of replicas that many blocks share: kernels over (particles, replicas), one after the other.

#define PARTICLE                                                \
    Replica s = replica(ARGUMENTS);                             \
    int i = blockIdx.x * blockDim.x + threadIdx.x;              \
    if (i >= n || s.status[FLAGS] & STOPPED) return;

extern "C" __global__ void __launch_bounds__(128) drift(PARAMETERS, double dt, double longest, int n_kicks) {
    PARTICLE
    drift(s, s.place, i, dt, longest, {1, 1, n_kicks}, s.status);
    // Blocks do not wait for each other, so the outer list is checked at once, too.
    if (wears_out(s, s.place[i], s.built[i], 1)) atomicOr(s.status, PRUNE | BUILD);
}

// A block sorts a replica: for 65536 particles as long as all blocks then take for their lists.
extern "C" __global__ void __launch_bounds__(1024) arrange(PARAMETERS) {
    Replica s = replica(ARGUMENTS);
    int flags = s.status[FLAGS];
    if (flags & BUILD && !(flags & STOPPED)) arrange(s, s.place);
}

// A thread has a particle: number `rank` in space if there are new lists to be made, so that a warp has a chunk.
extern "C" __global__ void __launch_bounds__(128, 4) refresh(PARAMETERS) {
    __shared__ unsigned mark[4][WINDOW / 32];
    Replica s = replica(ARGUMENTS);
    int rank = blockIdx.x * blockDim.x + threadIdx.x, i = rank;
    int flags = s.status[FLAGS];
    if (!(flags & PRUNE) || flags & (FROZEN | SETTLED)) return;
    flags = __shfl_sync(ALL, flags, 0);  // other blocks may set a flag meanwhile: all threads of a warp must see the same
    if (flags & FULL) return;
    if (flags & BUILD) {
        build(s, s.place, rank, Marking{mark[threadIdx.x / 32]}, s.status);
        i = s.member[min(rank, n - 1)];
    }
    if (rank >= n) return;
    prune(s, s.place, i, s.status);
    if (rank == 0) tally(s, flags);
}

extern "C" __global__ void __launch_bounds__(128) push(PARAMETERS, double dt, int kicks) {
    PARTICLE
    push(s, s.place, (const Pair*)law, i, dt, kicks);
    if (i == 0) s.status[FLAGS] = 0;
}

#ifdef COUPLED
extern "C" __global__ void __launch_bounds__(1024) couple(PARAMETERS, int after, double* value, const double* number,
                                                          const double* constant, double prerounding) {
    Replica s = replica(ARGUMENTS);
    if (s.status[FLAGS] & (FROZEN | FULL)) return;
    number += (size_t)s.status[N_COUPLED] * N_NUMBERS * gridDim.y;
    rescale(s, rescaling(after, twice_kinetic(s, prerounding, 1), value, number, constant));
    if (after && threadIdx.x == 0) s.status[N_COUPLED] += 1;
}
#endif
