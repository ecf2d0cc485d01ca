// FIRE: an iteration of every replica from the forces at its positions, a block for each, as mdgen/kernels/fire.py has it.

const int COLUMNS = 256;  // threads of a block

// The larger, and no number if one is none.
__device__ __forceinline__ double upper(double a, double b) { return a > b || a != a ? a : b; }

// The sum of values, or the largest, from first to last.
__device__ __forceinline__ double joined(bool largest, const double* value, int n, int stride) {
    double all = 0;
    for (int k = 0; k < n; ++k) all = largest ? upper(all, value[k * stride]) : all + value[k * stride];
    return all;
}

// Of N values that each thread of a block has: the sums, of the last one the largest; the same in every thread. There is
// to be a barrier before it is called again.
template <int N> __device__ __forceinline__ void combine(double* value) {
    __shared__ double part[N][COLUMNS];
    int t = threadIdx.x;
    for (int k = 0; k < N; ++k) part[k][t] = value[k];
    __syncthreads();
    for (int k = 0; k < N && t < 32; ++k) part[k][t] = joined(k == N - 1, part[k] + t, COLUMNS / 32, 32);
    __syncthreads();
    for (int k = 0; k < N; ++k) value[k] = joined(k == N - 1, part[k], 32, 1);
}

// state [5][R]: step, mixing, iterations downhill, iterations, and the largest force component that is left.
extern "C" __global__ void __launch_bounds__(COLUMNS) descend(PARAMETERS, double tolerance, double most, double longest,
                                                              double* state) {
    __shared__ double scale[4];
    Replica s = replica(ARGUMENTS);
    if (s.status[FLAGS] & STOPPED) return;
    int t = threadIdx.x, stride = gridDim.y;
    state += blockIdx.y;
    double n_iterations = state[3 * stride], sum[4] = {0, 0, 0, 0}, &largest = sum[3];
    for (int k = t; k < 3 * n; k += COLUMNS) {
        double v = s.velocity[k], f = s.force[k];
        sum[0] += f * v;
        sum[1] += v * v;
        sum[2] += f * f;
        largest = upper(largest, fabs(f));
    }
    combine<4>(sum);
    if (!(largest > tolerance && n_iterations < most)) {
        if (t == 0) state[4 * stride] = largest;
        if (t == 0) s.status[FLAGS] = SETTLED;
        return;
    }
    if (t == 0) decide(state, sum, scale, stride);
    __syncthreads();
    double back = scale[0], keep = scale[1], push = scale[2], dt = scale[3], fastest[1] = {0};
    for (int k = t; k < 3 * n; k += COLUMNS) {
        double v = s.velocity[k], kicked = keep * v + push * (double)s.force[k];
        s.position[k] -= back * v;
        s.velocity[k] = kicked;
        fastest[0] = upper(fastest[0], fabs(kicked));
    }
    combine<1>(fastest);
    double factor = longest / upper(dt * fastest[0], longest);
    for (int k = t; k < 3 * n; k += COLUMNS) {
        double v = s.velocity[k] * factor;
        s.velocity[k] = v;
        s.position[k] += dt * v;
    }
}
