// What is near in space: the particles of a replica sorted by cells, and boxes around those that follow each other there.
//
// 32 particles in this order are a chunk, one for each lane of a warp. The numbers of all particles near the box of a
// chunk come as bits, in ascending order, whatever became of the order in space: so lists need no sorting.
//
// At density 1.2 and a reach of 3.8 about 1020 particles are near a box of 32, and 276 near a particle. Cells as wide as
// the reach would leave all 4096 of a box of 15; small cells would leave each particle about 700, but every one of its
// tests would load a place of its own, where the lanes of a chunk load one for all.

struct Box { Place middle; Vector half; };

const unsigned ALL = ~0u;        // lanes of a warp
const int WINDOW = 65536;        // numbers whose bits a warp has in shared memory
const REAL WIDER = (REAL)1e-4;   // of half a box, for rounding

__device__ __forceinline__ REAL longest_reach(const Replica& s) { return s.reach[2 * s.n_species * s.n_species]; }

// Columns run to and fro along z, so that particles of cells that follow each other are close.
__device__ __forceinline__ int cell(const Replica& s, int x, int y, int z) {
    int column = x * s.n_cells[1] + (x % 2 ? s.n_cells[1] - 1 - y : y);
    return column * s.n_cells[2] + (column % 2 ? s.n_cells[2] - 1 - z : z);
}

__device__ __forceinline__ int cell_of(const Replica& s, const Place& p) {
    return cell(s, slot(p.x, s.n_cells[0]), slot(p.y, s.n_cells[1]), slot(p.z, s.n_cells[2]));
}

// Makes counts of `n` cells the places where their particles start. By all threads of a block.
__device__ __forceinline__ void accumulate(int* count, int n) {
    __shared__ int of_warp[32];
    int t = threadIdx.x, lane = t % 32, share = (n + blockDim.x - 1) / blockDim.x, sum = 0;
    int begin = min(t * share, n), end = min(begin + share, n);
    for (int c = begin; c < end; ++c) sum += count[c];
    int total = sum;
    for (int k = 1; k < 32; k *= 2) {
        int lower = __shfl_sync(ALL, total, max(lane - k, 0));
        total += lane >= k ? lower : 0;
    }
    if (lane == 31) of_warp[t / 32] = total;
    __syncthreads();
    int start = total - sum;
    for (int warp = 0; warp < t / 32; ++warp) start += of_warp[warp];
    for (int c = begin; c < end; ++c) {
        int own = count[c];
        count[c] = start;
        start += own;
    }
}

// Sorts the particles of the block's replica: those of cell c are member[first[c]], …, up to first[c + 1].
__device__ __forceinline__ void arrange(const Replica& s, const Place* place) {
    int t = threadIdx.x, n_all = s.n_cells[0] * s.n_cells[1] * s.n_cells[2];
    int* next = s.first + 1;  // counts; then where the next particle of a cell goes; in the end, where the cell ends
    for (int c = t; c <= n_all; c += blockDim.x) s.first[c] = 0;
    __syncthreads();
    for (int i = t; i < s.n; i += blockDim.x) atomicAdd(next + cell_of(s, place[i]), 1);
    __syncthreads();
    accumulate(next, n_all);
    __syncthreads();
    for (int i = t; i < s.n; i += blockDim.x) s.member[atomicAdd(next + cell_of(s, place[i]), 1)] = i;
    __syncthreads();
}

// The box around the particles of a warp.
__device__ __forceinline__ Box around(const Replica& s, const Place& own) {
    COORD one[3] = {__shfl_sync(ALL, own.x, 0), __shfl_sync(ALL, own.y, 0), __shfl_sync(ALL, own.z, 0)};
    COORD low[3] = {minus(own.x, one[0]), minus(own.y, one[1]), minus(own.z, one[2])}, middle[3];
    REAL scale[3] = {s.scale.x, s.scale.y, s.scale.z}, half[3];
    for (int axis = 0; axis < 3; ++axis) {
        COORD high = low[axis];
        for (int k = 16; k; k /= 2) {
            low[axis] = min(low[axis], __shfl_xor_sync(ALL, low[axis], k));
            high = max(high, __shfl_xor_sync(ALL, high, k));
        }
        middle[axis] = minus(one[axis], -(low[axis] / 2 + high / 2));
        half[axis] = ((REAL)high - (REAL)low[axis]) * scale[axis] * (REAL)0.500005 + WIDER;
    }
    return {{middle[0], middle[1], middle[2], 0}, {half[0], half[1], half[2]}};
}

// Whether a particle could be within reach of any in a box.
__device__ __forceinline__ bool is_near(const Replica& s, const Box& box, const Place& other) {
    Vector d = apart(s, box.middle, other), half = box.half;
    REAL zero = 0, reach = longest_reach(s);
    d = {max((REAL)fabs(d.x) - half.x, zero), max((REAL)fabs(d.y) - half.y, zero), max((REAL)fabs(d.z) - half.z, zero)};
    return squared(d) < reach * reach;
}

// Tries all particles. Where places lie in shared memory, that is N / 32 <= 450 tests of a lane, and takes no memory.
struct Trying {
    template <class Look>
    __device__ __forceinline__ void search(const Replica& s, const Place* place, const Box& box, Look look) const {
        int lane = threadIdx.x % 32;
        for (int first = 0; first < s.n; first += 32) {
            int j = first + lane;
            look(first, __ballot_sync(ALL, j < s.n && is_near(s, box, place[min(j, s.n - 1)])));
        }
    }
};

// Marks the particles of near cells as bits in shared memory, in one round per window of numbers.
struct Marking {
    unsigned* mark;  // of the warp [WINDOW / 32]

    template <class Look>
    __device__ __forceinline__ void search(const Replica& s, const Place* place, const Box& box, Look look) const {
        int lane = threadIdx.x % 32;
        for (int start = 0; start < s.n; start += WINDOW) {
            int n_words = (min(WINDOW, s.n - start) + 31) / 32;
            for (int w = lane; w < n_words; w += 32) mark[w] = 0;
            __syncwarp();
            columns(s, place, box, start);
            __syncwarp();
            for (int w = 0; w < n_words; w += 32) {
                unsigned words = __ballot_sync(ALL, w + lane < n_words && mark[min(w + lane, n_words - 1)]);
                for (; words; words &= words - 1) {
                    int word = w + __ffs(words) - 1;
                    look(start + 32 * word, mark[word]);
                }
            }
            __syncwarp();
        }
    }

    // Goes through the columns of cells that reach into the box, and along each.
    __device__ __forceinline__ void columns(const Replica& s, const Place* place, const Box& box, int start) const {
        COORD middle[3] = {box.middle.x, box.middle.y, box.middle.z};
        REAL half[3] = {box.half.x, box.half.y, box.half.z};
        int low[3], count[3];
        for (int axis = 0; axis < 3; ++axis) {
            int n = s.n_cells[axis];
            double at = boxes(middle[axis]) * n;
            double by = ((double)half[axis] + longest_reach(s)) / s.unit[3 + axis] * n + 1e-3;
            int from = (int)floor(at - by), to = (int)floor(at + by);
            low[axis] = (from % n + n) % n;
            count[axis] = max(0, min(to - from + 1, n));
        }
        for (int c = 0; c < count[0] * count[1]; ++c) {
            int x = (low[0] + c / count[1]) % s.n_cells[0], y = (low[1] + c % count[1]) % s.n_cells[1];
            int n_left = min(count[2], s.n_cells[2] - low[2]);  // up to where the box ends
            run(s, place, box, start, cell(s, x, y, low[2]), cell(s, x, y, low[2] + n_left - 1));
            if (count[2] > n_left) run(s, place, box, start, cell(s, x, y, 0), cell(s, x, y, count[2] - n_left - 1));
        }
    }

    // Marks the near ones of all cells from one to another.
    __device__ __forceinline__ void run(const Replica& s, const Place* place, const Box& box, int start, int one,
                                        int other) const {
        int end = s.first[max(one, other) + 1];
        for (int rank = s.first[min(one, other)] + threadIdx.x % 32; rank < end; rank += 32) {
            int j = s.member[rank], bit = j - start;
            if (bit >= 0 && bit < WINDOW && is_near(s, box, place[j])) atomicOr(mark + bit / 32, 1u << bit % 32);
        }
    }
};
