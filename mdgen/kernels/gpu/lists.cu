// Lists of neighbours, made on the device.
//
// 32 consecutive particles are a chunk, with a sphere around it. The threads of a chunk scan all chunks in ascending
// order, skip those out of reach, and keep what is near: ascending, without sorting. This outer list is pruned to the
// inner one that forces use. Entries lie [k / 4][particle][k % 4].

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
