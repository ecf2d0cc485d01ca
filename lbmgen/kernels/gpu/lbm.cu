// Lattice Boltzmann on a GPU: the same operations in the same order as lbmgen/kernels/cpu, so the same bits.
//
// gridDim.y counts cases: blocks of sites with the same layout and law. A row of `table` describes each. Offsets are
// those of lbmgen.layout and lbmgen.walls; `state` is how populations lie after the step.
//
// What comes before this text: `real`; Q, D, FORCED; VELOCITIES, WEIGHTS, OPPOSITE; PLACE_PARAMETERS(name), PLACES(name)
// (where, relative to a site, a step reads each population); and collide(here, numbers, gone).

struct Links {  // lbmgen.kernels.Links
    const long long *target, *first, *second;
    const real *a, *b, *constant;
    const signed char* exchange;
    const int* body;
    long long n;
};

struct Kept {  // lbmgen.kernels.Kept
    const long long *start, *rest, *arrived, *left;
    const long long* wall;  // for each link by state the one of Links that sets `arrived`
    long long n_sites, n_links;
};

struct Outlets {  // lbmgen.kernels.Outlets
    const long long *start, *left, *target, *inner, *i;
    real* memory;
    const long long* law;
    const real *density, *speed;
    const long long* wall;  // for each link by state the one of Links that sets `inner`, or -1
    long long n_sites, n_links;
};

struct Case {
    real* h;
    const real* numbers;  // rates of the law, then the force
    const double* force;
    const bool* solid;
    Links links;
    Kept kept;
    Outlets outlets;
};

const int CONVECTIVE = 1;
const double ANCHOR = 0.01;
const double UNIT = 281474976710656.0;  // 2**48 quanta of force
const double LARGEST = 8.0;

__device__ __forceinline__ const Case& case_of(const long long* table) {
    return reinterpret_cast<const Case*>(table)[blockIdx.y];
}

__device__ __forceinline__ unsigned thread() { return blockIdx.x * blockDim.x + threadIdx.x; }

__device__ __forceinline__ int velocity(int i, int axis) {
    const signed char c[Q][D] = VELOCITIES;
    return c[i][axis];
}

__constant__ double WEIGHT[Q] = WEIGHTS;

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

// What comes back along link k; `left` is what left the fluid there.
__device__ __forceinline__ double returned(const Links& links, const real* h, int state, long long k, double clock,
                                           real& left) {
    const long long at = state * links.n + k;
    left = h[links.first[at]];
    return (double)(links.a[k] * left + links.b[k] * h[links.second[at]]) + (double)links.constant[k] * clock;
}

// Sets what comes back along link k. `taken` [D + 1] is what its body takes; the last one tells whether the link blew up.
__device__ __forceinline__ void set_wall(const Case& at, int state, long long k, double clock, long long* taken) {
    const Links& links = at.links;
    real left;
    const double back = returned(links, at.h, state, k, clock, left);
    at.h[links.target[state * links.n + k]] = (real)back;
    const double force = (double)left + back;
    const bool sound = fabs(force) <= LARGEST;
    const long long quanta = sound ? __double2ll_rn(force * UNIT) : 0;
    for (int axis = 0; axis < D; ++axis) {
        taken[axis] = links.exchange[k * D + axis] * quanta;
        taken[D] += links.exchange[k * D + axis] != 0 && !sound;
    }
}

// A site gives back at rest what walls between sites let in beyond what left. Walls are set at the same time: what they
// let in is computed here too, from the same numbers, which no link writes.
__device__ __forceinline__ void keep_mass(const Case& at, int state, long long site, double clock) {
    const Kept& kept = at.kept;
    double gained = 0.0;
    for (long long link = kept.start[site]; link < kept.start[site + 1]; ++link) {
        real left;
        const long long wall = kept.wall[state * kept.n_links + link];
        const real arrived = (real)returned(at.links, at.h, state, wall, clock, left);
        gained += (double)arrived - (double)left;
    }
    real* rest = at.h + kept.rest[site];
    *rest = (real)((double)*rest - gained);
}

// The population inside that a link of an open face follows; where a wall sets it, what that one sets.
__device__ __forceinline__ double followed(const Case& at, int state, long long link, double clock) {
    const long long k = state * at.outlets.n_links + link, wall = at.outlets.wall[k];
    real left;
    if (wall >= 0) return (double)(real)returned(at.links, at.h, state, wall, clock, left);
    return at.h[at.outlets.inner[k]];
}

// Sets what enters through open faces at a site.
__device__ __forceinline__ void set_outlet(const Case& at, int state, long long site, double clock) {
    const Outlets& faces = at.outlets;
    const long long* left = faces.left + (state * faces.n_sites + site) * Q;
    double excess = 0.0, u[D] = {}, square = 0.0;
    for (int i = 0; i < Q; ++i) {
        const double value = at.h[left[i]];
        excess += value;
        for (int axis = 0; axis < D; ++axis) u[axis] += velocity(i, axis) * value;
    }
    for (int axis = 0; axis < D; ++axis) {
        u[axis] /= 1.0 + excess;
        square += u[axis] * u[axis];
    }
    const double density = faces.density[site], speed = faces.speed[site];
    for (long long link = faces.start[site]; link < faces.start[site + 1]; ++link) {
        const int i = (int)faces.i[link];
        double arriving;
        if (faces.law[site] == CONVECTIVE) {
            arriving = (faces.memory[link] + speed * followed(at, state, link, clock)) / (1.0 + speed);
            arriving -= ANCHOR * WEIGHT[i] * (1.0 + excess - density);
        } else {
            double along = 0.0;
            for (int axis = 0; axis < D; ++axis) along += velocity(i, axis) * u[axis];
            const double shape = 1.0 + 4.5 * along * along - 1.5 * square;
            const double opposite = at.h[left[i % 2 == 1 ? i + 1 : i - 1]];
            arriving = 2.0 * WEIGHT[i] * (density * shape - 1.0) - opposite;
        }
        faces.memory[link] = (real)arriving;
        at.h[faces.target[state * faces.n_links + link]] = (real)arriving;
    }
}

__device__ __forceinline__ unsigned warps(long long n) { return (unsigned)((n + 31) / 32 * 32); }

// Sets walls, kept sites and open faces of a case, shared out to its threads: a warp does one kind of work, and none of it
// reads what another one writes. What bodies take is added to `tally` [n_bodies, D + 1]. All threads of a block are to
// come.
__device__ __forceinline__ void set_boundaries(const Case& at, int state, double clock, long long* tally, int n_bodies) {
    const unsigned n_links = (unsigned)at.links.n, kept = warps(n_links), open = kept + warps(at.kept.n_sites);
    const unsigned end = open + (unsigned)at.outlets.n_sites;
    for (unsigned first = blockIdx.x * blockDim.x; first < end; first += gridDim.x * blockDim.x) {
        const unsigned k = first + threadIdx.x;
        long long taken[D + 1] = {};
        int body = 0;
        if (k < n_links) {
            body = at.links.body[k];
            set_wall(at, state, k, clock, taken);
        } else if (k >= kept && k < kept + at.kept.n_sites) {
            keep_mass(at, state, k - kept, clock);
        } else if (k >= open && k < end) {
            set_outlet(at, state, k - open, clock);
        }
        if (first >= n_links) continue;
        // Integers: the order of sums does not matter. A warp adds up first, body by body.
        for (int b = 0; b < n_bodies; ++b) {
            for (int axis = 0; axis <= D; ++axis) {
                long long sum = b == body ? taken[axis] : 0;
                for (int lane = 16; lane > 0; lane /= 2) sum += __shfl_xor_sync(~0u, sum, lane);
                if (threadIdx.x % 32 == 0 && sum)
                    atomicAdd((unsigned long long*)&tally[b * (D + 1) + axis], (unsigned long long)sum);
            }
        }
    }
}

// A step of all sites of `n_runs` runs of `length` sites that begin at `start`. The clock moves on by `tick` steps.
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

// Walls and open faces at step *step + later of `n_steps`; `clock` is [n_cases, n_steps], what bodies take is added to
// `tally` [n_cases, n_steps, n_bodies, D + 1], whose last column counts links that blew up.
extern "C" __global__ void __launch_bounds__(256, 1)
    boundaries(const long long* table, int state, const double* clock, long long* tally, const int* step, int later,
               int n_steps, int n_bodies) {
    const long long now = (long long)blockIdx.y * n_steps + *step + later;
    set_boundaries(case_of(table), state, clock[now], tally + now * n_bodies * (D + 1), n_bodies);
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
                                        const long long* target, unsigned n_copies, double clock, long long* tally,
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
        set_boundaries(at, state, clock, tally, n_bodies);
        meet(met, due);
    }
}

// `n_steps` steps, the first of `parity`, of cases whose populations stay in the cache: the blocks of a case, all of
// them resident, go on without those of others. `met` [n_cases] begins with zeros. Tables and places by parity.
extern "C" __global__ void __launch_bounds__(256)
    march(const long long* table, const long long* start, unsigned n_runs, unsigned length,
          const long long* even_source, const long long* even_target, unsigned n_even, const long long* odd_source,
          const long long* odd_target, unsigned n_odd, int parity, int n_steps, int n_bodies, const double* clock,
          long long* tally, unsigned* met, PLACE_PARAMETERS(even), PLACE_PARAMETERS(odd)) {
    const Case& at = case_of(table);
    const long long even[Q] = PLACES(even), odd[Q] = PLACES(odd);
    const long long first = (long long)blockIdx.y * n_steps;
    unsigned due = 0;
    met += blockIdx.y;
    for (int k = 0; k < n_steps; ++k) {
        const double now = clock[first + k];
        long long* taken = tally + (first + k) * n_bodies * (D + 1);
        if ((parity + k) % 2 == 0)
            step_of(at, 0, start, n_runs, length, even, even_source, even_target, n_even, now, taken, n_bodies, met, due);
        else
            step_of(at, 1, start, n_runs, length, odd, odd_source, odd_target, n_odd, now, taken, n_bodies, met, due);
    }
}

// A site's excess density rho - 1 and velocity.
__device__ __forceinline__ void look_at(const Case& at, const real* site, const long long* arrival, double* seen) {
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
    look(const long long* table, const long long* row, const long long* arrival, int n_cells, int middle, int length,
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
                if (!at.solid[r * length + third + z]) look_at(at, at.h + row[r] + third + z, arrival, seen);
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
