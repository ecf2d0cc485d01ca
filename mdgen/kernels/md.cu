// Molecular dynamics of many replicas on a GPU: velocity Verlet, neighbour lists, forces, energies, thermostats.
//
// The operations are those of mdgen/kernels/cpu in their order, so results have the same bits. A thread owns a particle
// and walks its whole list in ascending order; a list may hold more than another does, since what is out of range adds
// exactly zero. `march` does many steps per launch, one block per replica, with all places in shared memory; where they
// do not fit, the same functions run as kernels over (particles, replicas), `drift`, `enclose`, `refresh`, `push`.
//
// Lists: 32 consecutive particles are a chunk, with a sphere around it. The threads of a chunk scan all chunks in
// ascending order, skip those out of reach, and keep what is near: ascending, without sorting. This outer list is pruned
// to the inner one that forces use. Their entries lie [k / 4][particle][k % 4].
//
// Options: DOUBLE (pair forces in double precision), WIDE (more than 65536 particles), COUPLED (functions scale_before
// and scale_after, N_NUMBERS and HAS_BEFORE come first).

#ifdef DOUBLE
typedef double REAL, COORD;  // a place counts boxes
#define FMA fma
__device__ COORD minus(COORD a, COORD b) { return a - b - rint(a - b); }
__device__ COORD placed(double x, double unit) { double f = x * (unit * 0x1p-32); return f - floor(f); }
__device__ REAL as_length(COORD c) { return c; }
__device__ COORD as_place(REAL length) { return length; }
#define BOXES 1.0
#define MARCHING 512  // threads of a block that marches, as many as have registers
#else
typedef float REAL;
typedef int COORD;  // a place counts 2**-32 of the box: overflow is the minimum image
#define FMA fmaf
__device__ COORD minus(COORD a, COORD b) { return (int)((unsigned)a - (unsigned)b); }
__device__ COORD placed(double x, double unit) { return (int)__double_as_longlong(fma(x, unit, 0x1.8p52)); }
__device__ REAL as_length(COORD c) { return __int_as_float(c); }
__device__ COORD as_place(REAL length) { return __float_as_int(length); }
#define BOXES 0x1p-32
#define MARCHING 1024
#endif
#ifdef WIDE
typedef unsigned int ENTRY;
#else
typedef unsigned short ENTRY;
#endif

struct alignas(16) Place { COORD x, y, z, kind; };  // the kind of a sphere is its radius
struct alignas(16) Pair { REAL repulsion, attraction, square, shift; };
struct alignas(4 * sizeof(ENTRY)) Quad { ENTRY entry[4]; };
struct Vector { REAL x, y, z; };

const int FROZEN = 1, PRUNE = 2, BUILD = 4, FULL = 8;  // what is the matter with a replica
const int FLAGS = 0, N_BUILDS = 1, N_PRUNES = 2, N_LATE = 3, N_STATUS = 4;
const int CHUNK = 32;

// edge [R][6]: places per length, box. law [S][S]. reach [2 S S + 3]: squares for the inner and the outer list, the
// farthest reach, squares of the displacements that wear out the inner and the outer list.
// motion [R][2][3][n]: position, velocity. place [R][3][n]: now, at the last pruning, at the last building.
#define BATCH                                                                                                         \
    int n, int n_species, int inner_room, int outer_room, const double *edge, const REAL *law, const REAL *reach,     \
        double *motion, REAL *force, COORD *place, COORD *sphere, int *count, ENTRY *near, int *status
#define THIS n, n_species, inner_room, outer_room, edge, law, reach, motion, force, place, sphere, count, near, status

struct Replica {
    int n, n_species, inner_room, outer_room;
    const double* unit;
    const REAL* reach;
    double *position, *velocity;
    REAL* force;
    Place *place, *pruned, *built, *sphere;
    int *n_inner, *n_outer;
    ENTRY *inner, *outer;
    int* status;
    Vector scale;
};

__device__ __forceinline__ Replica replica(BATCH) {
    size_t r = blockIdx.y, n3 = 3 * (size_t)n, room = inner_room + outer_room;
    const double* box = edge + 6 * r + 3;
    Place* places = (Place*)place + r * n3;
    ENTRY* lists = near + r * room * n;
    return {n, n_species, inner_room, outer_room, edge + 6 * r, reach,
            motion + 2 * r * n3, motion + (2 * r + 1) * n3, force + r * n3,
            places, places + n, places + 2 * n, (Place*)sphere + r * ((n + CHUNK - 1) / CHUNK),
            count + 2 * r * n, count + (2 * r + 1) * n, lists, lists + (size_t)inner_room * n, status + r * N_STATUS,
            {(REAL)(box[0] * BOXES), (REAL)(box[1] * BOXES), (REAL)(box[2] * BOXES)}};
}

__device__ __forceinline__ Vector apart(const Replica& s, const Place& a, const Place& b) {
    return {(REAL)minus(a.x, b.x) * s.scale.x, (REAL)minus(a.y, b.y) * s.scale.y, (REAL)minus(a.z, b.z) * s.scale.z};
}
__device__ __forceinline__ REAL squared(const Vector& d) { return FMA(d.x, d.x, FMA(d.y, d.y, d.z * d.z)); }
__device__ __forceinline__ REAL distance2(const Replica& s, const Place& a, const Place& b) {
    return squared(apart(s, a, b));
}

// ---- motion

__device__ __forceinline__ void test(const Replica& s, const Place& here, int i, int flag, int* flags) {
    const REAL* worn = s.reach + 2 * s.n_species * s.n_species + 1;
    if (!(distance2(s, here, s.pruned[i]) <= worn[0])) flag |= PRUNE;
    if (!(distance2(s, here, s.built[i]) <= worn[1])) flag |= PRUNE | BUILD;
    if (flag) atomicOr(flags, flag);
}

// Half a kick and a drift (nothing moves if dt is zero), the new place, and whether lists still hold there.
__device__ __forceinline__ void drift(const Replica& s, Place* place, int i, double dt, double longest, int* flags) {
    COORD to[3];
    bool sound = true;
    for (int axis = 0; axis < 3; ++axis) {
        int at = axis * s.n + i;
        double x = s.position[at];
        if (dt != 0.0) {
            double v = fma(dt * 0.5, (double)s.force[at], s.velocity[at]);
            x = fma(dt, v, x);
            s.velocity[at] = v;
            s.position[at] = x;
            sound = sound && fabs(v) * dt <= longest;
        }
        to[axis] = placed(x, s.unit[axis]);
    }
    Place here = {to[0], to[1], to[2], place[i].kind};
    place[i] = here;
    test(s, here, i, sound ? 0 : FROZEN, flags);
}

__device__ __forceinline__ Vector force_on(const Replica& s, const Place* place, const Pair* law, int i) {
    Place own = place[i];
    const Pair* row = law + (int)own.kind * s.n_species;
    const Quad* list = (const Quad*)s.inner + i;
    int n_quads = (s.n_inner[i] + 3) / 4;
    Vector f = {0, 0, 0};
    for (int q = 0; q < n_quads; ++q) {
        Quad quad = list[(size_t)q * s.n];
#pragma unroll
        for (int k = 0; k < 4; ++k) {
            int j = quad.entry[k];
            Place other = place[j];
            Pair pair = row[(int)other.kind];
            Vector d = apart(s, own, other);
            REAL square = squared(d);
            REAL inverse = (REAL)1 / square;
            REAL sixth = inverse * inverse * inverse;
            REAL strength = FMA(pair.repulsion, sixth, pair.attraction) * (sixth * inverse);
            strength = square < pair.square && j != i ? strength : (REAL)0;
            f = {FMA(strength, d.x, f.x), FMA(strength, d.y, f.y), FMA(strength, d.z, f.z)};
        }
    }
    return f;
}

// The force on a particle and half a kick by it.
__device__ __forceinline__ void push(const Replica& s, const Place* place, const Pair* law, int i, double dt) {
    Vector f = force_on(s, place, law, i);
    REAL component[3] = {f.x, f.y, f.z};
    for (int axis = 0; axis < 3; ++axis) {
        int at = axis * s.n + i;
        s.force[at] = component[axis];
        if (dt != 0.0) s.velocity[at] = fma(dt * 0.5, (double)component[axis], s.velocity[at]);
    }
}

// ---- lists

__device__ __forceinline__ void put(const Replica& s, ENTRY* list, int i, int k, int j) {
    list[((size_t)(k / 4) * s.n + i) * 4 + k % 4] = (ENTRY)j;
}

// Ends a list with the particle itself, which adds nothing.
__device__ __forceinline__ int close(const Replica& s, ENTRY* list, int i, int k, int room, int* flags) {
    if (k > room) atomicOr(flags, FULL);
    int length = min(k, room);
    for (k = length; k % 4; ++k) put(s, list, i, k, i);
    return length;
}

// The sphere around a chunk: the middle of its box, and the farthest particle from there.
__device__ __forceinline__ void enclose(const Replica& s, const Place* place, int chunk) {
    int first = chunk * CHUNK, end = min(s.n, first + CHUNK);
    Place one = place[first], low = {0, 0, 0, 0}, high = low;
    for (int i = first + 1; i < end; ++i) {
        COORD x = minus(place[i].x, one.x), y = minus(place[i].y, one.y), z = minus(place[i].z, one.z);
        low = {min(low.x, x), min(low.y, y), min(low.z, z), 0};
        high = {max(high.x, x), max(high.y, y), max(high.z, z), 0};
    }
    Place middle = {minus(one.x, -(low.x / 2 + high.x / 2)), minus(one.y, -(low.y / 2 + high.y / 2)),
                    minus(one.z, -(low.z / 2 + high.z / 2)), 0};
    REAL most = 0;
    for (int i = first; i < end; ++i) most = max(most, distance2(s, place[i], middle));
    middle.kind = as_place(sqrt(most) + (REAL)1e-4);
    s.sphere[chunk] = middle;
}

// The outer list of a particle. All threads of a chunk take the same way.
__device__ __forceinline__ void build(const Replica& s, const Place* place, int i, int* flags) {
    Place own = place[i], around = s.sphere[i / CHUNK];
    const REAL* reach = s.reach + s.n_species * (s.n_species + (int)own.kind);
    REAL far = s.reach[2 * s.n_species * s.n_species] + as_length(around.kind);
    int k = 0;
    for (int first = 0; first < s.n; first += CHUNK) {
        Place other = s.sphere[first / CHUNK];
        REAL limit = far + as_length(other.kind);
        if (distance2(s, around, other) > limit * limit) continue;
        int end = min(s.n, first + CHUNK);
        for (int j = first; j < end; ++j) {
            Place candidate = place[j];
            if (distance2(s, own, candidate) < reach[(int)candidate.kind] && j != i) {
                if (k < s.outer_room) put(s, s.outer, i, k, j);
                ++k;
            }
        }
    }
    s.n_outer[i] = close(s, s.outer, i, k, s.outer_room, flags);
    s.built[i] = own;
}

__device__ __forceinline__ void prune(const Replica& s, const Place* place, int i, int* flags) {
    Place own = place[i];
    const REAL* reach = s.reach + s.n_species * (int)own.kind;
    const Quad* list = (const Quad*)s.outer + i;
    int k = 0, n_quads = (s.n_outer[i] + 3) / 4;
    for (int q = 0; q < n_quads; ++q) {
        Quad quad = list[(size_t)q * s.n];
        for (int entry : quad.entry) {
            Place other = place[entry];
            if (distance2(s, own, other) < reach[(int)other.kind] && entry != i) {
                if (k < s.inner_room) put(s, s.inner, i, k, entry);
                ++k;
            }
        }
    }
    s.n_inner[i] = close(s, s.inner, i, k, s.inner_room, flags);
    s.pruned[i] = own;
    if (!(distance2(s, own, s.built[i]) <= s.reach[2 * s.n_species * s.n_species + 2])) atomicAdd(s.status + N_LATE, 1);
}

__device__ __forceinline__ void tally(const Replica& s, int flags) {
    s.status[N_PRUNES] += 1;
    s.status[N_BUILDS] += (flags & BUILD) != 0;
}

// ---- thermostats

// v^2 rounded to a multiple of grain / 1.5 2^52 (see mdgen/kernels): sums of it are exact, whatever their order.
__device__ __forceinline__ double coarse_square(const Replica& s, int i, double grain) {
    double x = s.velocity[i], y = s.velocity[s.n + i], z = s.velocity[2 * s.n + i];
    return fma(z, z, fma(y, y, x * x)) + grain - grain;
}

// Twice the kinetic energy of the block's replica, the same in every thread.
__device__ __forceinline__ double twice_kinetic(const Replica& s, double grain) {
    __shared__ double part[1024];
    int t = threadIdx.x;
    double sum = 0;
    for (int i = t; i < s.n; i += blockDim.x) sum += coarse_square(s, i, grain);
    part[t] = sum;
    __syncthreads();
    if (t < 32) {
        for (int k = t + 32; k < blockDim.x; k += 32) sum += part[k];
        part[t] = sum;
    }
    __syncthreads();
    sum = 0;
    for (int k = 0; k < 32; ++k) sum += part[k];
    __syncthreads();
    return sum;
}

#ifdef COUPLED
// Rescales the velocities of the block's replica as the thermostat says.
__device__ __forceinline__ void couple(const Replica& s, int after, double* value, const double* number,
                                       const double* constant, double grain) {
    __shared__ double factor;
    double kinetic = 0.5 * twice_kinetic(s, grain);
    int r = blockIdx.y, stride = gridDim.y;
    if (threadIdx.x == 0)
        factor = after ? scale_after(kinetic, value + r, number + r, constant, stride)
                       : scale_before(kinetic, value + r, number + r, constant, stride);
    __syncthreads();
    for (int i = threadIdx.x; i < 3 * s.n; i += blockDim.x) s.velocity[i] *= factor;
    __syncthreads();
}
#endif

// ---- kernels

extern "C" __global__ void __launch_bounds__(MARCHING) march(BATCH, int n_steps, double dt, double longest, double* value,
                                                         const double* number, const double* constant, double grain) {
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
        for (int i = t; i < n; i += blockDim.x) push(s, places, pairs, i, dt);
        __syncthreads();
#ifdef COUPLED
        couple(s, 1, value, number, constant, grain);
        number += N_NUMBERS * gridDim.y;
#endif
    }
}

#define PARTICLE                                                \
    Replica s = replica(THIS);                                  \
    int i = blockIdx.x * blockDim.x + threadIdx.x;              \
    if (i >= n || s.status[FLAGS] & (FROZEN | FULL)) return;

extern "C" __global__ void __launch_bounds__(128) drift(BATCH, double dt, double longest) {
    PARTICLE
    drift(s, s.place, i, dt, longest, s.status);
}

extern "C" __global__ void __launch_bounds__(128) enclose(BATCH) {
    PARTICLE
    if (s.status[FLAGS] & BUILD && i * CHUNK < n) enclose(s, s.place, i);
}

extern "C" __global__ void __launch_bounds__(128) refresh(BATCH) {
    PARTICLE
    int flags = s.status[FLAGS];
    if (!(flags & PRUNE)) return;
    if (flags & BUILD) build(s, s.place, i, s.status);
    prune(s, s.place, i, s.status);
    if (i == 0) tally(s, flags);
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

extern "C" __global__ void __launch_bounds__(1024) kinetic_energy(BATCH, double grain, double* energy) {
    double kinetic = 0.5 * twice_kinetic(replica(THIS), grain);
    if (threadIdx.x == 0) energy[blockIdx.y] = kinetic;
}

__device__ __forceinline__ double fraction(double x, double unit) {
    double f = x * (unit * 0x1p-32);
    return f - floor(f);
}

// Energy and r.F of every particle's pairs with higher ones, energy [R][2][n]; law64 [S][S][4] and all arithmetic double.
extern "C" __global__ void __launch_bounds__(128) energies(BATCH, const double* law64, double* energy) {
    PARTICLE
    double sum[2] = {0, 0};
    for (int k = 0; k < s.n_inner[i]; ++k) {
        int j = s.inner[((size_t)(k / 4) * n + i) * 4 + k % 4];
        const double* pair = law64 + 4 * ((int)s.place[i].kind * n_species + (int)s.place[j].kind);
        double d[3];
        for (int axis = 0; axis < 3; ++axis) {
            double u = s.unit[axis], c = fraction(s.position[axis * n + i], u) - fraction(s.position[axis * n + j], u);
            d[axis] = (c - rint(c)) * s.unit[3 + axis];
        }
        double square = fma(d[0], d[0], fma(d[1], d[1], d[2] * d[2])), sixth = 1.0 / (square * square * square);
        double value = sixth * fma(pair[0] * (1.0 / 12.0), sixth, pair[1] * (1.0 / 6.0)) - pair[3];
        double work = sixth * fma(pair[0], sixth, pair[1]);
        bool counts = j > i && square < pair[2];
        sum[0] += counts ? value : 0.0;
        sum[1] += counts ? work : 0.0;
    }
    for (int k = 0; k < 2; ++k) energy[(2 * (size_t)blockIdx.y + k) * n + i] = sum[k];
}
