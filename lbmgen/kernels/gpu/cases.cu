// Lattice Boltzmann on a GPU: the same operations in the same order as lbmgen/kernels/cpu, so the same bits.
//
// gridDim.y counts cases: blocks of sites with the same layout and law. A row of `table` describes each. Offsets are
// those of lbmgen.layout and lbmgen.walls; `state` is how populations lie after the step.
//
// What comes before this text: `real`; Q, D, FORCED; VELOCITIES, WEIGHTS, OPPOSITE; PLACE_PARAMETERS(name), PLACES(name)
// (where, relative to a site, a step reads each population); collide(here, numbers, gone); N_PARAMETERS of an open
// face at most, where numbers begin in the row of AT_SIZE that formulas of open faces take (AT_...), what the kind with a
// number needs (needs_...(law)), and its formulas guess(law, row) and arriving(law, row).

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
    const long long *start, *left, *here, *inward, *law;
    const real* parameters;
    const double *normal, *share;
    const long long *target, *inner, *i;
    real* memory;
    // By state the link of Links that sets `inner` of each link, and `here` of each population of a site; -1 for none.
    const long long *inner_wall, *here_wall;
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
