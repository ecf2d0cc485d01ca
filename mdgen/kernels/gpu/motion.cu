// Where particles move, and the forces that move them.

__device__ __forceinline__ void test(const Replica& s, const Place& here, int i, int flag, int* flags) {
    const REAL* worn = s.reach + 2 * s.n_species * s.n_species + 1;
    if (!(distance2(s, here, s.pruned[i]) <= worn[0])) flag |= PRUNE;
    if (!(distance2(s, here, s.built[i]) <= worn[1])) flag |= PRUNE | BUILD;
    if (flag) atomicOr(flags, flag);
}

// Half a kick and a drift (nothing moves if dt is zero), the new place, and whether lists still hold there.
__device__ __forceinline__ void drift(const Replica& s, Place* place, int i, double dt, double longest, int* flags) {
    double x[3], v[3];
    REAL f[3];
    for (int axis = 0; axis < 3; ++axis) {  // all loads before any store, so that they do not wait for each other
        x[axis] = s.position[axis * s.n + i];
        v[axis] = s.velocity[axis * s.n + i];
        f[axis] = s.force[axis * s.n + i];
    }
    bool sound = true;
    if (dt != 0.0) {
        for (int axis = 0; axis < 3; ++axis) {
            v[axis] = fma(dt * 0.5, (double)f[axis], v[axis]);
            x[axis] = fma(dt, v[axis], x[axis]);
            s.velocity[axis * s.n + i] = v[axis];
            s.position[axis * s.n + i] = x[axis];
            sound = sound && fabs(v[axis]) * dt <= longest;
        }
    }
    Place here = {placed(x[0], s.unit[0]), placed(x[1], s.unit[1]), placed(x[2], s.unit[2]), place[i].kind};
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
    for (int axis = 0; axis < 3; ++axis) s.force[axis * s.n + i] = component[axis];
    if (dt == 0.0) return;
    double v[3];
    for (int axis = 0; axis < 3; ++axis) v[axis] = s.velocity[axis * s.n + i];
    for (int axis = 0; axis < 3; ++axis) s.velocity[axis * s.n + i] = fma(dt * 0.5, (double)component[axis], v[axis]);
}
