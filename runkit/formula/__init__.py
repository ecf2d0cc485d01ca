"""Formulas: written once in Python, computed by NumPy, as vector instructions of the CPU, or as CUDA C.

A formula is a function that adds, subtracts, multiplies, divides and negates its arguments, and takes `np.sqrt`,
`np.copysign` and `np.greater` of them: the operations that every machine rounds alike. Applied to NumPy arrays it is
the reference of its tests. Applied to values of an algebra it calls a machine for each operation:

- algebras (`algebra`): `Plain` rounds after every operation, as NumPy does; `Fused` makes a fused multiply-add of every
  product that is added to something;
- machines: `llvm.Instructions` adds instructions to a kernel that is being compiled, `cuda.Lines` writes lines of text.

    machine = Lines("float64")                                          # registers = Instructions(builder, kind)
    speed = Plain(machine, machine.variable("speed[i]"))                # an input: a register, or a name in the text
    result = formula(speed, 0.01)                                       # numbers become constants
    end = f"return {value_of(machine, result)};"                        # a result may be a number too
    text = cuda.function("__device__ double f(const double* speed, int i)", machine, end)

`rounded` keeps a product out of a multiply-add, `power` is a product of equal factors, `exp` a series. `refusal`
refuses, before any work, what no kernel can be made of. `compiled.inlined` makes a formula a function for Numba
kernels. Machines and `compiled` are imported from their own files, so that a law made of formulas needs NumPy alone.
"""

from runkit.formula.algebra import FormulaError, Fused, Machine, Plain, Value, exp, power, rounded, value_of

__all__ = ["FormulaError", "Fused", "Machine", "Plain", "Value", "exp", "power", "rounded", "value_of"]
