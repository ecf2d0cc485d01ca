// Where particles move, and the forces that move them.

// Whether a particle has gone too far from where the inner (0) or the outer (1) list was made.
__device__ __forceinline__ bool wears_out(const Replica& s, const Place& here, const Place& then, int list) {
    return !(distance2(s, here, then) <= s.reach[2 * s.n_species * s.n_species + 1 + list]);
}

// What becomes of velocities before a drift: two factors, one after the other, then one or two halves of a kick.
struct Kick { double after, before; int n_halves; };

// A drift after a kick (nothing moves if dt is zero), the new place, and whether the inner list still holds there.
__device__ __forceinline__ void drift(const Replica& s, Place* place, int i, double dt, double longest, Kick kick,
                                      int* flags) {
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
            v[axis] = v[axis] * kick.after * kick.before;
            for (int k = 0; k < kick.n_halves; ++k) v[axis] = fma(dt * 0.5, (double)f[axis], v[axis]);
            x[axis] = fma(dt, v[axis], x[axis]);
            s.velocity[axis * s.n + i] = v[axis];
            s.position[axis * s.n + i] = x[axis];
            sound = sound && fabs(v[axis]) * dt <= longest;
        }
    }
    Place here = {placed(x[0], s.unit[0]), placed(x[1], s.unit[1]), placed(x[2], s.unit[2]), place[i].kind};
    place[i] = here;
    int flag = (sound ? 0 : FROZEN) | (wears_out(s, here, s.pruned[i], 0) ? PRUNE : 0);
    if (flag) atomicOr(flags, flag);
}

__device__ __forceinline__ Vector force_on(const Replica& s, const Place* place, const Pair* law, int i) {
    Place own = place[i];
    const OfKind<Pair> row(law + (int)own.kind * s.n_species, s.n_species);
    const Quad* list = (const Quad*)s.inner + i;
    int n_quads = (s.n_inner[i] + 3) / 4;
    Vector f = {0, 0, 0};
    for (int q = 0; q < n_quads; ++q, list += s.n) {
        Quad quad = *list;
#pragma unroll
        for (int k = 0; k < 4; ++k) {
            int j = quad.entry[k];
            Place other = place[j];
            const Pair pair = row[(int)other.kind];
            Vector d = apart(s, own, other);
            REAL square = squared(d);
            REAL strength = force_over_r(square, pair);
            strength = square < pair.cutoff_square && j != i ? strength : (REAL)0;
            f = {FMA(strength, d.x, f.x), FMA(strength, d.y, f.y), FMA(strength, d.z, f.z)};
        }
    }
    return f;
}

// The force on a particle and, if `kicks`, half a kick by it: without it the next drift has two.
__device__ __forceinline__ void push(const Replica& s, const Place* place, const Pair* law, int i, double dt,
                                     bool kicks) {
    Vector f = force_on(s, place, law, i);
    REAL component[3] = {f.x, f.y, f.z};
    for (int axis = 0; axis < 3; ++axis) s.force[axis * s.n + i] = component[axis];
    if (dt == 0.0 || !kicks) return;
    double v[3];
    for (int axis = 0; axis < 3; ++axis) v[axis] = s.velocity[axis * s.n + i];
    for (int axis = 0; axis < 3; ++axis) s.velocity[axis * s.n + i] = fma(dt * 0.5, (double)component[axis], v[axis]);
}
