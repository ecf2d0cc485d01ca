// A step of replicas that spread over many blocks: kernels over (particles, replicas), one after the other.

#define PARTICLE                                                \
    Replica s = replica(THIS);                                  \
    int i = blockIdx.x * blockDim.x + threadIdx.x;              \
    if (i >= n || s.status[FLAGS] & STOPPED) return;

extern "C" __global__ void __launch_bounds__(128) drift(BATCH, double dt, double longest) {
    PARTICLE
    drift(s, s.place, i, dt, longest, s.status);
}

// A block sorts a replica: for 65536 particles as long as all blocks then take for their lists.
extern "C" __global__ void __launch_bounds__(1024) arrange(BATCH) {
    Replica s = replica(THIS);
    int flags = s.status[FLAGS];
    if (flags & BUILD && !(flags & STOPPED)) arrange(s, s.place);
}

// A thread has a particle: number `rank` in space if there are new lists to be made, so that a warp has a chunk.
extern "C" __global__ void __launch_bounds__(128, 4) refresh(BATCH) {
    __shared__ unsigned mark[4][WINDOW / 32];
    Replica s = replica(THIS);
    int rank = blockIdx.x * blockDim.x + threadIdx.x, i = rank;
    int flags = s.status[FLAGS];
    if (!(flags & PRUNE) || flags & (FROZEN | SETTLED)) return;
    flags = __shfl_sync(ALL, flags, 0);  // other blocks may say that there is no more room: not to half a warp
    if (flags & FULL) return;
    if (flags & BUILD) {
        build(s, s.place, rank, Marking{mark[threadIdx.x / 32]}, s.status);
        i = s.member[min(rank, n - 1)];
    }
    if (rank >= n) return;
    prune(s, s.place, i, s.status);
    if (rank == 0) tally(s, flags);
}

extern "C" __global__ void __launch_bounds__(128) push(BATCH, double dt) {
    PARTICLE
    push(s, s.place, (const Pair*)law, i, dt);
    if (i == 0) s.status[FLAGS] = 0;
}

#ifdef COUPLED
extern "C" __global__ void __launch_bounds__(1024) couple(BATCH, int after, double* value, const double* number,
                                                          const double* constant, double grain) {
    Replica s = replica(THIS);
    if (s.status[FLAGS] & (FROZEN | FULL)) return;
    couple(s, after, value, number, constant, grain);
}
#endif
