// Molecular dynamics of many replicas on a GPU: what a replica is. The files of this folder are compiled as one text.
//
// The operations are those of mdgen/kernels/cpu in their order, so results have the same bits. A thread owns a particle
// and walks its whole list in ascending order; a list may hold more than another does, since what is out of range adds
// exactly zero.
//
// Options: WIDE (more than 65536 particles), FEW (at most two species). What comes before this text (`text.py`): DOUBLE
// (pair forces in double precision), PairOf (columns of the pair law), COUPLED (functions scale_before and scale_after,
// N_NUMBERS and HAS_BEFORE).

#ifdef DOUBLE
typedef double REAL, COORD;  // a place counts boxes
#define FMA fma
__device__ COORD minus(COORD a, COORD b) { return a - b - rint(a - b); }
__device__ COORD placed(double x, double unit) { double f = x * (unit * 0x1p-32); return f - floor(f); }
__device__ double boxes(COORD c) { return c - floor(c); }
__device__ int slot(COORD c, int n) { return max(0, min((int)(boxes(c) * n), n - 1)); }  // of n that a box has
#define BOXES 1.0
#define MOST_THREADS 512  // of a block that has a replica to itself, as many as have registers
#else
typedef float REAL;
typedef int COORD;  // a place counts 2**-32 of the box: overflow is the minimum image
#define FMA fmaf
__device__ COORD minus(COORD a, COORD b) { return (int)((unsigned)a - (unsigned)b); }
__device__ COORD placed(double x, double unit) { return (int)__double_as_longlong(fma(x, unit, 0x1.8p52)); }
__device__ double boxes(COORD c) { return (unsigned)c * 0x1p-32; }
__device__ int slot(COORD c, int n) { return (int)__umulhi((unsigned)c, (unsigned)n); }
#define BOXES 0x1p-32
#define MOST_THREADS 1024
#endif
#ifdef WIDE
typedef unsigned int ENTRY;
#else
typedef unsigned short ENTRY;
#endif

struct alignas(16) Place { COORD x, y, z, kind; };
typedef PairOf<REAL> Pair;
struct alignas(4 * sizeof(ENTRY)) Quad { ENTRY entry[4]; };
struct Vector { REAL x, y, z; };

const int FROZEN = 1, PRUNE = 2, BUILD = 4, FULL = 8, SETTLED = 16;  // what is the matter with a replica
const int STOPPED = FROZEN | FULL | SETTLED;
const int FLAGS = 0, N_BUILDS = 1, N_PRUNES = 2, N_LATE = 3, N_COUPLED = 4, N_STATUS = 5;
const int CHUNK = 32, CELLS = 8;  // particles of a warp; cells for each particle that there is memory for

// What belongs to the kinds of the other particle. Of two kinds both are in registers: shared memory has enough to do.
template <class T> struct OfKind {
#ifdef FEW
    T first, last;
    __device__ __forceinline__ OfKind(const T* row, int n_species) : first(row[0]), last(row[n_species - 1]) {}
    __device__ __forceinline__ T operator[](int kind) const { return kind ? last : first; }
#else
    const T* row;
    __device__ __forceinline__ OfKind(const T* row, int) : row(row) {}
    __device__ __forceinline__ const T& operator[](int kind) const { return row[kind]; }
#endif
};

// 1 / x, rounded once: a value next to it and what it lacks, as compilers for GPUs divide, without their branch for
// other numbers than squares of distances are (see Ensemble): x and 1 / x are normal, or x is 0 and this is no number.
// Proof for every x and every value within a unit in the last place: tests/mdgen/test_gpu_motion.py. Its one exception
// (x has all bits, the value is a power of two) the divisions of compilers exclude too, and tests/gpu tries all x.
#ifdef DOUBLE
__device__ __forceinline__ double reciprocal(double x) { return 1.0 / x; }
#else
#ifdef __CUDA_ARCH__  // elsewhere the stand-in for a GPU has one
__device__ __forceinline__ float rough_reciprocal(float x) {
    float y;
    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}
#endif
__device__ __forceinline__ float refined(float x, float y) { return fmaf(y, fmaf(-x, y, 1.0f), y); }
__device__ __forceinline__ float reciprocal(float x) { return refined(x, rough_reciprocal(x)); }
#endif

// edge [R][6]: places per length, box. law [S][S]. reach [2 S S + 3]: squares for the inner and the outer list, the
// longest reach, squares of the displacements that wear out the inner and the outer list.
// motion [R][2][3][n]: position, velocity. place [R][3][n]: now, at the last pruning, at the last building.
// cells [R][4 + CELLS n + 1 + n]: cells of each axis and one more number, where cells start, particles in their order.
#define PARAMETERS                                                                                                   \
    int n, int n_species, int inner_capacity, int outer_capacity, const double *edge, const REAL *law,               \
        const REAL *reach, double *motion, REAL *force, COORD *place, int *cells, int *count, ENTRY *entries,        \
        int *status
#define ARGUMENTS                                                                                                    \
    n, n_species, inner_capacity, outer_capacity, edge, law, reach, motion, force, place, cells, count, entries,     \
        status

struct Replica {
    int n, n_species, inner_capacity, outer_capacity;
    const double* unit;
    const REAL* reach;
    double *position, *velocity;
    REAL* force;
    Place *place, *pruned, *built;
    int *n_cells, *first, *member;
    int *n_inner, *n_outer;
    ENTRY *inner, *outer;
    int* status;
    Vector scale;
};

__device__ __forceinline__ Replica replica(PARAMETERS) {
    size_t r = blockIdx.y, n3 = 3 * (size_t)n, capacity = inner_capacity + outer_capacity;
    const double* box = edge + 6 * r + 3;
    Place* places = (Place*)place + r * n3;
    ENTRY* lists = entries + r * capacity * n;
    int* own_cells = cells + r * (5 + (CELLS + 1) * (size_t)n);
    return {n, n_species, inner_capacity, outer_capacity, edge + 6 * r, reach,
            motion + 2 * r * n3, motion + (2 * r + 1) * n3, force + r * n3,
            places, places + n, places + 2 * n, own_cells, own_cells + 4, own_cells + 5 + CELLS * (size_t)n,
            count + 2 * r * n, count + (2 * r + 1) * n, lists, lists + (size_t)inner_capacity * n,
            status + r * N_STATUS,
            {(REAL)(box[0] * BOXES), (REAL)(box[1] * BOXES), (REAL)(box[2] * BOXES)}};
}

__device__ __forceinline__ Vector apart(const Replica& s, const Place& a, const Place& b) {
    return {(REAL)minus(a.x, b.x) * s.scale.x, (REAL)minus(a.y, b.y) * s.scale.y, (REAL)minus(a.z, b.z) * s.scale.z};
}
__device__ __forceinline__ REAL squared(const Vector& d) { return FMA(d.x, d.x, FMA(d.y, d.y, d.z * d.z)); }
__device__ __forceinline__ REAL distance2(const Replica& s, const Place& a, const Place& b) {
    return squared(apart(s, a, b));
}
