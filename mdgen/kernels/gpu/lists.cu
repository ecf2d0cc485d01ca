// Lists of neighbours, made on the device: the outer list from what is near a chunk, pruned to the inner one that forces
// use. Entries lie [k / 4][particle][k % 4], ascending.

#ifdef WIDE
typedef Quad Four;
__device__ __forceinline__ Four followed(Four last, int j) { return {last.entry[1], last.entry[2], last.entry[3], j}; }
#else
typedef unsigned long long Four;  // as the compiler would not pack it
__device__ __forceinline__ Four followed(Four last, int j) { return last >> 16 | (Four)j << 48; }
#endif

// A list under way, and its last four entries: they leave together.
struct List { Four* entries; int capacity, n; Four last; };

__device__ __forceinline__ void put(const Replica& s, List& list, int i, int j) {
    list.last = followed(list.last, j);
    if (++list.n % 4 == 0 && list.n <= list.capacity) list.entries[(size_t)(list.n / 4 - 1) * s.n + i] = list.last;
}

// Ends a list with the particle itself, which adds nothing; how many entries there were before.
__device__ __forceinline__ int close(const Replica& s, List& list, int i, int* flags) {
    int length = list.n;
    while (list.n % 4) put(s, list, i, i);
    if (length > list.capacity) atomicOr(flags, FULL);
    return min(length, list.capacity);
}

// The outer list of the particle that is number `rank` in space. `Search` is how numbers near a box are found, by all
// threads of a block, so also those without a particle come here.
template <class Search>
__device__ __forceinline__ void build(const Replica& s, const Place* place, int rank, const Search& finder,
                                      int* flags) {
    bool is_one = rank < s.n;
    int i = s.member[min(rank, s.n - 1)];
    Place own = place[i];
    const OfKind<REAL> reach(s.reach + s.n_species * (s.n_species + (int)own.kind), s.n_species);
    List list = {(Four*)s.outer, is_one ? s.outer_capacity : 0, 0, {}};
    finder.search(s, place, around(s, own), [&](int first, unsigned bits) {
        for (; bits; bits &= bits - 1) {
            int j = first + __ffs(bits) - 1;
            Place other = place[j];
            if (distance2(s, own, other) < reach[(int)other.kind] && j != i) put(s, list, i, j);
        }
    });
    if (!is_one) return;
    s.n_outer[i] = close(s, list, i, flags);
    s.built[i] = own;
}

__device__ __forceinline__ void prune(const Replica& s, const Place* place, int i, int* flags) {
    Place own = place[i];
    const OfKind<REAL> reach(s.reach + s.n_species * (int)own.kind, s.n_species);
    const Quad* outer = (const Quad*)s.outer + i;
    List list = {(Four*)s.inner, s.inner_capacity, 0, {}};
    int n_quads = (s.n_outer[i] + 3) / 4;
    for (int q = 0; q < n_quads; ++q) {
        Quad quad = outer[(size_t)q * s.n];
        for (int entry : quad.entry) {
            Place other = place[entry];
            if (distance2(s, own, other) < reach[(int)other.kind] && entry != i) put(s, list, i, entry);
        }
    }
    s.n_inner[i] = close(s, list, i, flags);
    s.pruned[i] = own;
    if (!(distance2(s, own, s.built[i]) <= s.reach[2 * s.n_species * s.n_species + 2])) atomicAdd(s.status + N_LATE, 1);
}

__device__ __forceinline__ void tally(const Replica& s, int flags) {
    s.status[N_PRUNES] += 1;
    s.status[N_BUILDS] += (flags & BUILD) != 0;
}
