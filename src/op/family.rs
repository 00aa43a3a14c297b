//! The families of ops. A member is a function of numbers; what a family shares is written once per language: the loop,
//! the two stages of a sum, the arguments.

/// A function of one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Map {
    /// `max(x, 0)`, NaN kept. The derivative at 0 is 0.
    Relu,
    /// `x` above 0, else `0.01 x`.
    Leaky,
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
    /// The hyperbolic tangent.
    Tanh,
    /// `log(1 + exp(x))`.
    Softplus,
    /// `x sigmoid(x)`.
    Silu,
    /// `exp(x)`.
    Exp,
    /// `|x|`. The derivative at 0 is 0.
    Abs,
}

impl Map {
    pub(crate) const ALL: [Map; 8] = [Map::Relu, Map::Sigmoid, Map::Tanh, Map::Leaky, Map::Softplus, Map::Silu, Map::Exp, Map::Abs];

    /// The names of the function and of its derivative.
    pub(crate) fn names(self) -> [&'static str; 2] {
        match self {
            Map::Relu => ["relu", "relu_grad"],
            Map::Leaky => ["leaky", "leaky_grad"],
            Map::Sigmoid => ["sigmoid", "sigmoid_grad"],
            Map::Tanh => ["tanh", "tanh_grad"],
            Map::Softplus => ["softplus", "softplus_grad"],
            Map::Silu => ["silu", "silu_grad"],
            Map::Exp => ["exp", "exp_grad"],
            Map::Abs => ["abs", "abs_grad"],
        }
    }

    /// Floating-point operations of the function and of its derivative.
    pub(crate) fn flops(self) -> [u64; 2] {
        match self {
            Map::Relu => [1, 1],
            Map::Leaky => [1, 1],
            Map::Sigmoid => [24, 26],
            Map::Tanh => [36, 27],
            Map::Softplus => [34, 25],
            Map::Silu => [26, 52],
            Map::Exp => [21, 22],
            Map::Abs => [1, 1],
        }
    }
}

/// A function of two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Zip {
    /// `a + b`.
    Add,
    /// `a * b`.
    Mul,
    /// `a^2 + exp(b) - b - 1`: the terms of [`Term::Kl`].
    KlTerms,
}

impl Zip {
    pub(crate) const ALL: [Zip; 3] = [Zip::Add, Zip::Mul, Zip::KlTerms];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Zip::Add => "add",
            Zip::Mul => "mul",
            Zip::KlTerms => "kl_terms",
        }
    }

    /// Floating-point operations.
    pub(crate) fn flops(self) -> u64 {
        match self {
            Zip::Add | Zip::Mul => 1,
            Zip::KlTerms => 25,
        }
    }

    /// What the two numbers are called, as the tape's method calls them.
    pub(crate) fn operands(self) -> [&'static str; 2] {
        match self {
            Zip::Add | Zip::Mul => ["a", "b"],
            Zip::KlTerms => ["mu", "logvar"],
        }
    }
}

/// The terms of a sum over all elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Term {
    /// `x`.
    Sum,
    /// `x^2`.
    SquareSum,
    /// `|x|`.
    AbsSum,
    /// `(x - target)^2`.
    Mse,
    /// `max(x, 0) - x target + log1p(exp(-|x|))`: the binary cross-entropy of sigmoid(x) and the target.
    Bce,
    /// `mu^2 + exp(logvar) - logvar - 1`: twice the divergence of N(mu, exp(logvar)) from N(0, 1). By mu its derivative
    /// is that of a sum of squares; its own, `kl_grad`, is that by logvar.
    Kl,
    /// `t ln(t / x) + (1 - t) ln((1 - t) / (1 - x))`, x kept away from 0 and 1: how far Bernoulli(x) is from
    /// Bernoulli(t).
    RhoKl,
}

impl Term {
    pub(crate) const ALL: [Term; 7] = [Term::Sum, Term::SquareSum, Term::AbsSum, Term::Mse, Term::Bce, Term::Kl, Term::RhoKl];

    /// The names of the sum and of its derivative.
    pub(crate) fn names(self) -> [&'static str; 2] {
        match self {
            Term::Sum => ["sum", "sum_grad"],
            Term::SquareSum => ["square_sum", "square_sum_grad"],
            Term::AbsSum => ["abs_sum", "abs_sum_grad"],
            Term::Mse => ["mse", "mse_grad"],
            Term::Bce => ["bce", "bce_grad"],
            Term::Kl => ["kl", "kl_grad"],
            Term::RhoKl => ["rho_kl", "rho_kl_grad"],
        }
    }

    /// Floating-point operations for each element of the sum and of its derivative.
    pub(crate) fn flops(self) -> [u64; 2] {
        match self {
            Term::Sum => [1, 0],
            Term::SquareSum => [2, 1],
            Term::AbsSum => [2, 1],
            Term::Mse => [3, 2],
            Term::Bce => [34, 26],
            Term::Kl => [26, 23],
            Term::RhoKl => [56, 8],
        }
    }

    /// What the first number and the result are called, as the tape's method calls them.
    pub(crate) fn operands(self) -> [&'static str; 2] {
        match self {
            Term::Sum | Term::SquareSum | Term::AbsSum => ["x", "y"],
            Term::Mse => ["y", "loss"],
            Term::Bce => ["z", "loss"],
            Term::Kl => ["mu", "loss"],
            Term::RhoKl => ["q", "y"],
        }
    }

    /// What the second number is called, of terms that take one.
    pub(crate) fn other(self) -> Option<&'static str> {
        match self {
            Term::Sum | Term::SquareSum | Term::AbsSum => None,
            Term::Mse | Term::Bce | Term::RhoKl => Some("target"),
            Term::Kl => Some("logvar"),
        }
    }

    /// Whether the sum is one over rows or units that have to be there: a mean over no elements is undefined.
    pub(crate) fn is_mean(self) -> bool {
        matches!(self, Term::Mse | Term::Bce | Term::RhoKl)
    }

    /// Whether the derivative depends on x. That of a plain sum is the same for every element, and `kl_grad` depends on
    /// logvar alone.
    pub(crate) fn grad_takes_x(self) -> bool {
        !matches!(self, Term::Sum | Term::Kl)
    }

    /// The factor of the derivative that is part of the scale and not of the kernel.
    pub(crate) fn slope(self) -> f32 {
        match self {
            Term::SquareSum | Term::Mse => 2.0,
            Term::Sum | Term::AbsSum | Term::Bce | Term::Kl | Term::RhoKl => 1.0,
        }
    }
}
