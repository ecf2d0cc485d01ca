// Walls, the mass that they keep, and open faces after a step, all at the same time.

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
