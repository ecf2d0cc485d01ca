// The kernels: steps of all sites of a block, its boundaries, both for many steps; what messages take; what is seen.

// A step of a site.
__device__ __forceinline__ void move(const Case& at, real* site, const long long* place) {
    const int opposite[Q] = OPPOSITE;
    real here[Q], gone[Q];
#pragma unroll
    for (int i = 0; i < Q; ++i) here[i] = site[place[i]];
    collide(here, at.numbers, gone);
#pragma unroll
    for (int i = 0; i < Q; ++i) site[place[opposite[i]]] = gone[i];
}

// A step of all sites of `n_runs` runs of `length` sites that begin at `start`. The step counter moves on by `tick` steps.
extern "C" __global__ void __launch_bounds__(256)
    sweep(const long long* table, const long long* start, unsigned n_runs, unsigned length, int* step, int tick,
          PLACE_PARAMETERS(place)) {
    if (tick && thread() == 0 && blockIdx.y == 0) *step += tick;
    const unsigned run = thread() / length;
    if (run >= n_runs) return;
    const Case& at = case_of(table);
    const long long place[Q] = PLACES(place);
    move(at, at.h + start[run] + (thread() - run * length), place);
}

// h[target] = h[source]; no source is a target.
extern "C" __global__ void copy(const long long* table, const long long* source, const long long* target, unsigned n) {
    real* h = case_of(table).h;
    if (thread() < n) h[target[thread()]] = h[source[thread()]];
}

// buffer = h[source].
extern "C" __global__ void gather(const real* h, const long long* source, real* buffer, unsigned n) {
    if (thread() < n) buffer[thread()] = h[source[thread()]];
}

// h[target] = buffer.
extern "C" __global__ void scatter(real* h, const long long* target, const real* buffer, unsigned n) {
    if (thread() < n) h[target[thread()]] = buffer[thread()];
}

// Walls and open faces at step *step + later of `n_steps`; `scale` [n_cases, n_steps] multiplies the velocities of walls.
// The momentum that bodies take is added to `impulse` [n_cases, n_steps, n_bodies, D + 1], whose last column counts links
// that blew up.
extern "C" __global__ void __launch_bounds__(256, 1)
    boundaries(const long long* table, int state, const double* scale, long long* impulse, const int* step, int later,
               int n_steps, int n_bodies) {
    const long long now = (long long)blockIdx.y * n_steps + *step + later;
    set_boundaries(case_of(table), state, scale[now], impulse + now * n_bodies * (D + 1), n_bodies);
}

// The blocks of a case wait for each other; `met` counts those that have come, `due` those that have to. All of them
// have to be resident.
__device__ __forceinline__ void meet(unsigned* met, unsigned& due) {
    __syncthreads();
    if (gridDim.x == 1) return;
    due += gridDim.x;
    if (threadIdx.x == 0) {
        __threadfence();
        atomicAdd(met, 1u);
        while ((int)(*(volatile unsigned*)met - due) < 0) __nanosleep(20);
        __threadfence();
    }
    __syncthreads();
}

// A step of a case by all its blocks, which meet after each part of it. `state` is its parity.
__device__ __forceinline__ void step_of(const Case& at, int state, const long long* start, unsigned n_runs,
                                        unsigned length, const long long* place, const long long* source,
                                        const long long* target, unsigned n_copies, double scale, long long* impulse,
                                        int n_bodies, unsigned* met, unsigned& due) {
    const unsigned stride = gridDim.x * blockDim.x;
    for (unsigned k = thread(); k < n_runs * length; k += stride) {
        const unsigned run = k / length;
        move(at, at.h + start[run] + (k - run * length), place);
    }
    meet(met, due);
    if (n_copies) {
        for (unsigned k = thread(); k < n_copies; k += stride) at.h[target[k]] = at.h[source[k]];
        meet(met, due);
    }
    if (at.links.n + at.outlets.n_sites) {
        set_boundaries(at, state, scale, impulse, n_bodies);
        meet(met, due);
    }
}

// `n_steps` steps, the first of `parity`, of cases whose populations stay in the cache: the blocks of a case, all of
// them resident, go on without those of others. `met` [n_cases] begins with zeros. Tables and places by parity.
extern "C" __global__ void __launch_bounds__(256)
    advance_cached(const long long* table, const long long* start, unsigned n_runs, unsigned length,
          const long long* even_source, const long long* even_target, unsigned n_even, const long long* odd_source,
          const long long* odd_target, unsigned n_odd, int parity, int n_steps, int n_bodies, const double* scale,
          long long* impulse, unsigned* met, PLACE_PARAMETERS(even), PLACE_PARAMETERS(odd)) {
    const Case& at = case_of(table);
    const long long even[Q] = PLACES(even), odd[Q] = PLACES(odd);
    const long long first = (long long)blockIdx.y * n_steps;
    unsigned due = 0;
    met += blockIdx.y;
    for (int k = 0; k < n_steps; ++k) {
        const double now = scale[first + k];
        long long* taken = impulse + (first + k) * n_bodies * (D + 1);
        if ((parity + k) % 2 == 0)
            step_of(at, 0, start, n_runs, length, even, even_source, even_target, n_even, now, taken, n_bodies, met, due);
        else
            step_of(at, 1, start, n_runs, length, odd, odd_source, odd_target, n_odd, now, taken, n_bodies, met, due);
    }
}

// A site's excess density rho - 1 and velocity.
__device__ __forceinline__ void moments_at(const Case& at, const real* site, const long long* arrival, double* seen) {
    double excess = 0.0, momentum[D] = {};
#pragma unroll
    for (int i = 0; i < Q; ++i) {
        const double value = site[arrival[i]];
        excess += value;
        for (int axis = 0; axis < D; ++axis)
            if (velocity(i, axis)) momentum[axis] += velocity(i, axis) * value;
    }
    const double density = excess + 1.0;
    seen[0] = density - 1.0;
    for (int axis = 0; axis < D; ++axis) {
        if (FORCED) momentum[axis] += 0.5 * at.force[axis];
        seen[1 + axis] = momentum[axis] / density;
    }
}

// If `stored`, means [n_cases, 1 + D, cells] of what is seen over cells of `width` sites. Also the bits of the largest
// square of a speed and |density - 1| [n_cases, 2]: they are in the order of numbers, after which come infinity and what
// is no number. `row` holds the first sites of rows along the last axis; there are `middle` rows along the middle axis of
// three, or 1, and `length` sites in a row. Sums go along the first axis first.
extern "C" __global__ void __launch_bounds__(256, 1)
    statistics(const long long* table, const long long* row, const long long* arrival, int n_cells, int middle, int length,
         int width, int stored, double* mean, unsigned long long* extreme) {
    const int cell = thread();
    if (cell >= n_cells) return;
    const Case& at = case_of(table);
    const int deep = D == 3 ? width : 1, n_middle = middle / deep, n_last = length / width;
    const int first = cell / n_last / n_middle * width, second = cell / n_last % n_middle * deep;
    const int third = cell % n_last * width;
    double total[1 + D] = {};
    unsigned long long largest[2] = {};
    for (int z = 0; z < width; ++z) {
        double plane[1 + D] = {};
        for (int y = 0; y < deep; ++y) {
            double line[1 + D] = {};
            for (int x = 0; x < width; ++x) {
                const long long r = (long long)(first + x) * middle + second + y;
                double seen[1 + D] = {}, square = 0.0;
                if (!at.solid[r * length + third + z]) moments_at(at, at.h + row[r] + third + z, arrival, seen);
                for (int k = 0; k < D; ++k) square += seen[1 + k] * seen[1 + k];
                largest[0] = max(largest[0], (unsigned long long)__double_as_longlong(square));
                largest[1] = max(largest[1], (unsigned long long)__double_as_longlong(fabs(seen[0])));
                for (int k = 0; k <= D; ++k) line[k] += seen[k];
            }
            for (int k = 0; k <= D; ++k) plane[k] += line[k];
        }
        for (int k = 0; k <= D; ++k) total[k] += plane[k];
    }
    const double n_sites = (double)width * deep * width;
    for (int k = 0; stored && k <= D; ++k)
        mean[((long long)blockIdx.y * (1 + D) + k) * n_cells + cell] = total[k] / n_sites;
    // Most sites have less than one that has come before: they need not queue for the same number.
    for (int k = 0; k < 2; ++k) {
        unsigned long long* most = &extreme[2 * blockIdx.y + k];
        if (largest[k] > *(volatile unsigned long long*)most) atomicMax(most, largest[k]);
    }
}
