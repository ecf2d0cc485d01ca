// CUDA C on the CPU, one thread after the other: enough of the language to run a kernel's own text where there is no GPU.
//
// Threads of a block run in turn until each has come to a barrier, then go on from there. One fibre runs thread after
// thread; only where a thread waits at a barrier does it keep the fibre, and the next thread gets another. So kernels
// without barriers cost no switches. Warp shuffles are exchanges of the whole block: every thread has to take part.
// Races show as far as they depend on the order of threads and blocks: about every second launch has it in reverse, in
// no rhythm that a program of kernels could share. Threads that wait at unlike barriers end the program. Shared memory
// whose size the launch gives begins as no numbers.
//
// Blocks run one after the other, but those of a launch that promises that all are resident take turns, at barriers and
// where a thread sleeps: a block that waits for another one sleeps until it has come. In other launches sleep ends the
// program, and so do blocks that all wait for ever. Static shared memory is one for all blocks, so these may have none.
#pragma once
#undef _FORTIFY_SOURCE  // it takes a jump to another stack for a mistake
#include <algorithm>
#include <cmath>
#include <csetjmp>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <type_traits>
#include <ucontext.h>
#include <vector>

#define __global__
#define __device__
#define __host__
#define __constant__ static const
#define __shared__ static
#define __forceinline__ inline
#define __noinline__
#define __launch_bounds__(...)
#define __restrict__

using std::max;
using std::min;
struct dim3 { unsigned x, y, z; };
struct alignas(16) int4 { int x, y, z, w; };
struct alignas(16) float4 { float x, y, z, w; };
struct alignas(8) float2 { float x, y; };
inline int4 make_int4(int x, int y, int z, int w) { return {x, y, z, w}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline float2 make_float2(float x, float y) { return {x, y}; }
static const int warpSize = 32;
static dim3 threadIdx, blockIdx, blockDim, gridDim;

namespace shim {
struct Fibre {
    jmp_buf place;
    bool begun = false;
    dim3 thread;
    int barrier;  // the line where it waits
    std::unique_ptr<char[]> stack{new char[STACK]};
    static const size_t STACK = 1 << 16;
};
struct Block {
    dim3 index;
    unsigned next = 0;  // thread that has not begun
    std::vector<std::unique_ptr<Fibre>> parked, sleeping;
    alignas(16) char given[1 << 14];  // what threads exchange
};
static std::vector<std::unique_ptr<Fibre>> idle;
static std::unique_ptr<Fibre> running;
static Block* block;
static jmp_buf scheduler;
static const std::function<void()>* body;
static unsigned n_threads;
static unsigned n_launches;
static bool backwards, together, moved;
alignas(128) static char shared[1 << 18];

inline unsigned rank() { return threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z); }

static void end(const char* why) {
    std::fprintf(stderr, "%s\n", why);
    std::abort();
}

// Jumps, not swapcontext, which asks the system for the mask of signals at each of millions of switches.
static void jump(jmp_buf& from, jmp_buf& to) {
    if (!_setjmp(from)) _longjmp(to, 1);
}

static void work() {
    for (;;) {  // an idle fibre goes on here
        while (block->next < n_threads) {
            unsigned t = backwards ? n_threads - 1 - block->next : block->next;
            ++block->next;
            running->thread = threadIdx = {t % blockDim.x, t / blockDim.x % blockDim.y, t / blockDim.x / blockDim.y};
            (*body)();
        }
        moved = true;
        Fibre* self = running.get();
        idle.push_back(std::move(running));
        jump(self->place, scheduler);
    }
}

static void wait_among(std::vector<std::unique_ptr<Fibre>>& others) {
    Fibre* self = running.get();
    others.push_back(std::move(running));
    jump(self->place, scheduler);
    threadIdx = self->thread;
}

static void barrier(int line) {
    running->barrier = line;
    moved = true;
    wait_among(block->parked);
}

static void sleep() {
    if (!together) end("a thread sleeps in a launch whose blocks need not all be resident");
    wait_among(block->sleeping);
}

static void resume(std::unique_ptr<Fibre>& fibre) {
    running = std::move(fibre);
    if (running->begun) {
        jump(scheduler, running->place);
        return;
    }
    running->begun = true;
    ucontext_t start;
    getcontext(&start);
    start.uc_stack.ss_sp = running->stack.get();
    start.uc_stack.ss_size = Fibre::STACK;
    start.uc_link = nullptr;
    makecontext(&start, work, 0);
    if (!_setjmp(scheduler)) setcontext(&start);
}

// As far as the threads of a block come: all have begun, those that slept have looked, and if none sleeps, those at a
// barrier go on. Returns whether there is more to do.
static bool advance(Block& mine) {
    block = &mine;
    blockIdx = mine.index;
    while (mine.next < n_threads) {
        if (idle.empty()) idle.emplace_back(new Fibre);
        std::unique_ptr<Fibre> fibre = std::move(idle.back());
        idle.pop_back();
        resume(fibre);
    }
    std::vector<std::unique_ptr<Fibre>> phase = std::move(mine.sleeping);
    mine.sleeping.clear();
    for (auto& fibre : phase) resume(fibre);
    if (mine.sleeping.empty() && !mine.parked.empty()) {  // all threads have come to a barrier or to their end
        phase = std::move(mine.parked);
        mine.parked.clear();
        int barrier = phase[0]->barrier;
        for (auto& fibre : phase) {
            if (fibre->barrier != barrier) end("threads of a block wait at unlike barriers");
            resume(fibre);
        }
    }
    return !mine.parked.empty() || !mine.sleeping.empty();
}

static void launch(const unsigned* grid, const unsigned* block, unsigned n_shared, bool resident,
                   const std::function<void()>& kernel) {
    gridDim = {grid[0], grid[1], grid[2]};
    blockDim = {block[0], block[1], block[2]};
    n_threads = block[0] * block[1] * block[2];
    body = &kernel;
    together = resident;
    backwards = ++n_launches * 2654435761u >> 31;  // a bit of a multiplicative hash
    unsigned n_blocks = grid[0] * grid[1] * grid[2];
    std::vector<std::unique_ptr<Block>> blocks;
    for (unsigned k = 0; k < n_blocks; ++k) {
        unsigned b = backwards ? n_blocks - 1 - k : k;
        blocks.emplace_back(new Block);
        blocks.back()->index = {b % grid[0], b / grid[0] % grid[1], b / grid[0] / grid[1]};
        if (resident) continue;
        std::memset(shared, 0xFF, n_shared);
        while (advance(*blocks.back())) {}
        blocks.clear();
    }
    for (bool more = resident; more;) {
        more = moved = false;
        for (auto& each : blocks) more |= advance(*each);
        if (more && !moved) end("all blocks wait for each other");
    }
}

// What every thread of the block gives, as seen by each after all have given theirs.
template <class T, class F> auto exchange(T mine, F look) {
    static_assert(sizeof(T) <= 16);
    T* given = reinterpret_cast<T*>(block->given);
    given[rank()] = mine;
    barrier(__LINE__);
    auto seen = look(given);
    barrier(__LINE__);
    return seen;
}
template <class T> size_t pointee(const T*) { return sizeof(T); }
template <class T> struct Pointee { static const size_t size = 0; };
template <class T> struct Pointee<T*> { static const size_t size = sizeof(T); };
}  // namespace shim

#define __syncthreads() shim::barrier(__LINE__)
#define __syncwarp(...) shim::barrier(__LINE__)
inline int __syncthreads_or(int mine) {
    return shim::exchange(mine, [](const int* all) { return int(std::any_of(all, all + shim::n_threads, [](int v) { return v; })); });
}
template <class T> T __shfl_xor_sync(unsigned, T mine, int mask) {
    return shim::exchange(mine, [&](const T* all) { return all[shim::rank() ^ mask]; });
}
template <class T> T __shfl_down_sync(unsigned, T mine, int delta) {
    return shim::exchange(mine, [&](const T* all) { return all[min(shim::rank() + delta, shim::n_threads - 1)]; });
}
template <class T> T __shfl_sync(unsigned, T mine, int lane) {
    return shim::exchange(mine, [&](const T* all) { return all[shim::rank() / 32 * 32 + lane]; });
}
inline unsigned __ballot_sync(unsigned, int mine) {
    return shim::exchange(mine, [](const int* all) {
        unsigned bits = 0;
        for (unsigned k = 0; k < 32 && shim::rank() / 32 * 32 + k < shim::n_threads; ++k)
            bits |= unsigned(all[shim::rank() / 32 * 32 + k] != 0) << k;
        return bits;
    });
}
inline int __popc(unsigned bits) { return __builtin_popcount(bits); }
inline int __ffs(int bits) { return __builtin_ffs(bits); }
inline unsigned __umulhi(unsigned a, unsigned b) { return uint64_t(a) * b >> 32; }
template <class T> T __ldg(const T* p) { return *p; }
template <class T> T __ldcg(const T* p) { return *p; }
template <class T> void __stcg(T* p, T v) { *p = v; }
template <class T> T atomicAdd(T* p, T v) { T old = *p; *p += v; return old; }
template <class T> T atomicMax(T* p, T v) { T old = *p; *p = max(old, v); return old; }
template <class T> T atomicOr(T* p, T v) { T old = *p; *p |= v; return old; }
inline void __threadfence() {}
inline void __nanosleep(unsigned) { shim::sleep(); }
inline float __fmaf_rn(float a, float b, float c) { return std::fma(a, b, c); }
inline double __fma_rn(double a, double b, double c) { return std::fma(a, b, c); }
inline int __float_as_int(float v) { int bits; std::memcpy(&bits, &v, 4); return bits; }
inline float __int_as_float(int v) { float bits; std::memcpy(&bits, &v, 4); return bits; }
inline long long __double_as_longlong(double v) { long long bits; std::memcpy(&bits, &v, 8); return bits; }
// The approximate reciprocal of a GPU: any value within a unit in the last place, here the least good that a hash of x
// chooses. Numbers below the normal ones count as zero. A power of two comes for powers of two alone, as on GPUs.
inline float rough_reciprocal(float x) {
    if (std::fabs(x) < 0x1p-126f) return std::copysign(INFINITY, x);
    float nearest = 1.0f / x;
    if (std::fabs(nearest) < 0x1p-126f) return std::copysign(0.0f, x);
    float other = __int_as_float(__float_as_int(nearest) + (unsigned(__float_as_int(x)) * 2654435761u >> 31 ? 1 : -1));
    double unit = std::ldexp(1.0, std::ilogb(other) - 23);
    bool allowed = std::fabs(other - 1.0 / x) <= unit && (__float_as_int(other) & 0x7fffff);
    return allowed ? other : nearest;
}
inline long long __double2ll_rn(double v) { return std::llrint(v); }
