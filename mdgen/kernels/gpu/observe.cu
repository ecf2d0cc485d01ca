// What is measured of replicas.

extern "C" __global__ void __launch_bounds__(1024) kinetic_energy(BATCH, double grain, double* energy) {
    double kinetic = 0.5 * twice_kinetic(replica(THIS), grain);
    if (threadIdx.x == 0) energy[blockIdx.y] = kinetic;
}

__device__ __forceinline__ double fraction(double x, double unit) {
    double f = x * (unit * 0x1p-32);
    return f - floor(f);
}

// Energy and r.F of every particle's pairs with higher ones, energy [R][2][n]; law64 [S][S][4] and all arithmetic are
// double.
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

// Sums over particles in their order, total [R][2] of value [R][2][n]. All threads fetch, two add.
extern "C" __global__ void __launch_bounds__(CHUNK) total(BATCH, const double* value, double* total) {
    __shared__ double part[2][CHUNK];
    const double* own = value + 2 * (size_t)blockIdx.y * n;
    int t = threadIdx.x;
    double sum = -0.0;
    for (int first = 0; first < n; first += CHUNK) {
        for (int k = 0; k < 2 && first + t < n; ++k) part[k][t] = own[(size_t)k * n + first + t];
        __syncthreads();
        for (int i = 0; t < 2 && i < min(CHUNK, n - first); ++i) sum += part[t][i];
        __syncthreads();
    }
    if (t < 2) total[2 * (size_t)blockIdx.y + t] = sum;
}
