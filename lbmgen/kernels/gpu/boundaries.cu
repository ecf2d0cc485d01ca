// Walls, the mass that they keep, and open faces after a step, all at the same time.

// What comes back along link k; `left` is what left the fluid there.
__device__ __forceinline__ double returned(const Links& links, const real* h, int state, long long k, double scale,
                                           real& left) {
    const long long at = state * links.n + k;
    left = h[links.first[at]];
    return (double)(links.a[k] * left + links.b[k] * h[links.second[at]]) + (double)links.constant[k] * scale;
}

// Sets what comes back along link k. `taken` [D + 1] is what its body takes; the last one counts a link that blew up.
__device__ __forceinline__ void set_wall(const Case& at, int state, long long k, double scale, long long* taken) {
    const Links& links = at.links;
    real left;
    const double back = returned(links, at.h, state, k, scale, left);
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
__device__ __forceinline__ void keep_mass(const Case& at, int state, long long site, double scale) {
    const Kept& kept = at.kept;
    double gained = 0.0;
    for (long long link = kept.start[site]; link < kept.start[site + 1]; ++link) {
        real left;
        const long long wall = kept.wall[state * kept.n_links + link];
        const real arrived = (real)returned(at.links, at.h, state, wall, scale, left);
        gained += (double)arrived - (double)left;
    }
    real* rest = at.h + kept.rest[site];
    *rest = (real)((double)*rest - gained);
}

// A population that has arrived at `place`; where link `wall` sets it, what that one sets.
__device__ __forceinline__ double seen(const Case& at, int state, long long place, long long wall, double scale) {
    real left;
    if (wall >= 0) return (double)(real)returned(at.links, at.h, state, wall, scale, left);
    return at.h[place];
}

// What follows finds a row of numbers for formulas of open faces. Few threads do: rows stay in memory, and some parts are
// functions of their own, so that the kernels in which all threads step sites keep their registers.

// Excess density and, with `with_velocity`, velocity of populations at `places` moved by `shift`.
__device__ __noinline__ void moments(const real* h, const long long* places, long long shift, bool with_velocity,
                                     double* to) {
    double excess = 0.0, momentum[D] = {};
#pragma unroll 1
    for (int i = 0; i < Q; ++i) {
        const double value = h[places[i] + shift];
        excess += value;
        for (int axis = 0; axis < D; ++axis) momentum[axis] += velocity(i, axis) * value;
    }
    to[0] = excess;
    if (with_velocity)
        for (int axis = 0; axis < D; ++axis) to[1 + axis] = momentum[axis] / (1.0 + excess);
}

// What formulas take of a link.
__device__ __noinline__ void see_link(const Case& at, int state, long long link, const long long* left, double scale,
                                      double* row) {
    const Outlets& outlets = at.outlets;
    const long long k = state * outlets.n_links + link;
    const int i = (int)outlets.i[link];
    for (int axis = 0; axis < D; ++axis) row[AT_C + axis] = velocity(i, axis);
    row[AT_W] = WEIGHT[i];
    row[AT_OPPOSITE] = at.h[left[i % 2 == 1 ? i + 1 : i - 1]];
    row[AT_INNER] = seen(at, state, outlets.inner[k], outlets.inner_wall[k], scale);
    row[AT_MEMORY] = outlets.memory[link];
}

// Excess density and momentum of what has arrived at a site, with what its open faces guess for their links.
__device__ __forceinline__ void see_arrived(const Case& at, long long law, int state, long long site,
                                            const long long* left, double scale, double* row) {
    const Outlets& outlets = at.outlets;
    const long long first = (state * outlets.n_sites + site) * Q;
    double* arrived = row + AT_ARRIVED;
    for (int k = 0; k <= D; ++k) arrived[k] = 0.0;
#pragma unroll 1
    for (int i = 0; i < Q; ++i) {
        if (outlets.here[first + i] < 0) continue;
        const double value = seen(at, state, outlets.here[first + i], outlets.here_wall[first + i], scale);
        arrived[0] += value;
        for (int axis = 0; axis < D; ++axis) arrived[1 + axis] += velocity(i, axis) * value;
    }
    for (long long link = outlets.start[site]; link < outlets.start[site + 1]; ++link) {
        see_link(at, state, link, left, scale, row);
        const double value = guess((int)law, row);
        arrived[0] += value;
        for (int axis = 0; axis < D; ++axis) arrived[1 + axis] += row[AT_C + axis] * value;
    }
}

// Sets what enters through open faces at a site.
__device__ __forceinline__ void set_outlet(const Case& at, int state, long long site, double scale) {
    const Outlets& outlets = at.outlets;
    const long long law = outlets.law[site], *left = outlets.left + (state * outlets.n_sites + site) * Q;
    double row[AT_SIZE] = {};
    for (int k = 0; k < N_PARAMETERS; ++k) row[k] = outlets.parameters[site * N_PARAMETERS + k];
    moments(at.h, left, 0, needs_velocity((int)law), row + AT_MOMENTS);
    if (needs_inside((int)law)) moments(at.h, left, outlets.inward[site], true, row + AT_INSIDE);
    for (int axis = 0; axis < D; ++axis) row[AT_NORMAL + axis] = outlets.normal[site * D + axis];
    for (int k = 0; k <= D; ++k) row[AT_SHARE + k] = outlets.share[site * (D + 1) + k];
    if (needs_arrived((int)law)) see_arrived(at, law, state, site, left, scale, row);
    for (long long link = outlets.start[site]; link < outlets.start[site + 1]; ++link) {
        see_link(at, state, link, left, scale, row);
        row[AT_GUESS] = guess((int)law, row);
        const double value = arriving((int)law, row);
        outlets.memory[link] = (real)value;
        at.h[outlets.target[state * outlets.n_links + link]] = (real)value;
    }
}

__device__ __forceinline__ unsigned warps(long long n) { return (unsigned)((n + 31) / 32 * 32); }

// Sets walls, kept sites and open faces of a case, shared out to its threads: a warp does one kind of work, and none of it
// reads what another one writes. What bodies take is added to `impulse` [n_bodies, D + 1]. All threads of a block are to
// come.
__device__ __forceinline__ void set_boundaries(const Case& at, int state, double scale, long long* impulse, int n_bodies) {
    const unsigned n_links = (unsigned)at.links.n, kept = warps(n_links), open = kept + warps(at.kept.n_sites);
    const unsigned end = open + (unsigned)at.outlets.n_sites;
    for (unsigned first = blockIdx.x * blockDim.x; first < end; first += gridDim.x * blockDim.x) {
        const unsigned k = first + threadIdx.x;
        long long taken[D + 1] = {};
        int body = 0;
        if (k < n_links) {
            body = at.links.body[k];
            set_wall(at, state, k, scale, taken);
        } else if (k >= kept && k < kept + at.kept.n_sites) {
            keep_mass(at, state, k - kept, scale);
        } else if (k >= open && k < end) {
            set_outlet(at, state, k - open, scale);
        }
        if (first >= n_links) continue;
        // Integers: the order of sums does not matter. A warp adds up first, body by body.
        for (int b = 0; b < n_bodies; ++b) {
            for (int axis = 0; axis <= D; ++axis) {
                long long sum = b == body ? taken[axis] : 0;
                for (int lane = 16; lane > 0; lane /= 2) sum += __shfl_xor_sync(~0u, sum, lane);
                if (threadIdx.x % 32 == 0 && sum)
                    atomicAdd((unsigned long long*)&impulse[b * (D + 1) + axis], (unsigned long long)sum);
            }
        }
    }
}
