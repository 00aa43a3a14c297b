//! Groups of ops that a device may run as one launch. The ops stay in the list: a group writes every value that its ops
//! write, with their bits, and where a device does not take a group, its ops are run one by one.
//!
//! Nothing here knows a device. What depends on sizes, the device decides: `takes`.

use crate::device::View;
use crate::op::{Op, Role, Term};
use crate::order::{Touched, adams, conflicts, is_constant};

/// What a device may run as one launch.
#[derive(Clone, Debug)]
pub(crate) enum Group {
    One(Op),
    Layer(Layer),
    /// Layers, each of the result of the one before.
    Chain(Vec<Layer>),
    /// The gradients of dense layers.
    Gradients(Vec<Gradient>),
    /// Sums, single numbers that are stored in their rings, and the clock that is advanced after them.
    End {
        sums: Vec<Op>,
        stores: Vec<Op>,
        advance: Op,
    },
}

/// A product and what follows it: functions of single numbers, each of the one before.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    pub(crate) product: Op,
    pub(crate) tail: Vec<Op>,
}

/// The gradients of a dense layer's weights and bias, and Adam's updates with them.
#[derive(Clone, Debug)]
pub(crate) struct Gradient {
    pub(crate) dw: Op,
    pub(crate) db: Option<Op>,
    pub(crate) adam_w: Option<Op>,
    pub(crate) adam_b: Option<Op>,
}

impl Group {
    pub(crate) fn ops(&self) -> Vec<&Op> {
        match self {
            Group::One(op) => vec![op],
            Group::Layer(layer) => layer.ops().collect(),
            Group::Chain(layers) => layers.iter().flat_map(Layer::ops).collect(),
            Group::Gradients(all) => all.iter().flat_map(Gradient::ops).collect(),
            Group::End { sums, stores, advance } => sums.iter().chain(stores).chain([advance]).collect(),
        }
    }
}

impl Layer {
    fn ops(&self) -> impl Iterator<Item = &Op> {
        [&self.product].into_iter().chain(&self.tail)
    }

    pub(crate) fn result(&self) -> &View {
        self.tail.last().unwrap_or(&self.product).result()
    }
}

impl Gradient {
    fn ops(&self) -> impl Iterator<Item = &Op> {
        [Some(&self.dw), self.db.as_ref(), self.adam_w.as_ref(), self.adam_b.as_ref()].into_iter().flatten()
    }
}

/// A list of ops in groups.
pub(crate) struct Groups {
    /// Before the first step.
    pub(crate) once: Vec<Op>,
    /// In each step, in this order.
    pub(crate) step: Vec<Group>,
}

/// A list in groups that the device takes. Each is as large as the order of the ops allows.
pub(crate) fn groups(ops: &[Op], takes: &dyn Fn(&Group) -> bool) -> Groups {
    let (mut once, mut list) = (Vec::new(), Vec::new());
    for (at, op) in ops.iter().enumerate() {
        match op {
            Op::Fill { .. } if is_constant(ops, at) => once.push(op.clone()),
            Op::Adam { .. } => list.extend(adams(ops, op)),
            _ => list.push(op.clone()),
        }
    }
    let mut order = Order::new(&list);
    for at in 0..list.len() {
        if is_product(&list[at]) {
            layer(&list, at, &mut order, takes);
        }
    }
    chains(&list, &mut order, takes);
    gradients(&list, &mut order, takes);
    for at in 0..list.len() {
        if matches!(list[at], Op::Advance { .. }) {
            end(&list, at, &mut order, takes);
        }
    }
    Groups { once, step: order.units.into_iter().map(|unit| unit.group.unwrap_or_else(|| Group::One(list[unit.ops[0]].clone()))).collect() }
}

/// The order in which the ops of a list are run, in units: each op by itself at first.
struct Order {
    /// Whether the order of two ops matters.
    conflict: Vec<Vec<bool>>,
    units: Vec<Unit>,
}

struct Unit {
    /// The ops' places in the list.
    ops: Vec<usize>,
    group: Option<Group>,
}

impl Order {
    fn new(list: &[Op]) -> Order {
        let touched: Vec<Touched> = list.iter().map(|op| Touched::by([op])).collect();
        Order { conflict: conflicts(&touched), units: (0..list.len()).map(|at| Unit { ops: vec![at], group: None }).collect() }
    }

    fn is_free(&self, at: usize) -> bool {
        self.units.iter().any(|unit| unit.group.is_none() && unit.ops == [at])
    }

    /// The last unit that must come before these ops and holds one of this kind, by its first op.
    fn behind(&self, ops: &[usize], kind: impl Fn(usize) -> bool) -> Option<usize> {
        let before = |at: &usize| ops.iter().any(|&op| at < &op && self.conflict[*at][op]);
        let of = |unit: &Unit| (unit.ops.iter().any(|at| kind(*at)) && unit.ops.iter().any(before)).then_some(unit.ops[0]);
        self.units.iter().rev().find_map(of)
    }

    /// Makes one unit of these ops, at the place of the op `to`, unless that would turn round the order of two ops
    /// whose order matters. Units that lose an op to it are left without.
    fn join(&mut self, ops: &[usize], to: usize, group: Group) -> bool {
        let mut units = Vec::new();
        for unit in &self.units {
            if unit.ops.contains(&to) {
                units.push(ops.to_vec());
            }
            let left: Vec<usize> = unit.ops.iter().copied().filter(|at| !ops.contains(at)).collect();
            if !left.is_empty() {
                units.push(left);
            }
        }
        let mut place = vec![0; self.conflict.len()];
        units.iter().enumerate().for_each(|(n, unit)| unit.iter().for_each(|&at| place[at] = n));
        let turned = |a: usize, b: usize| self.conflict[a][b] && place[a] > place[b];
        if (0..place.len()).any(|b| (0..b).any(|a| turned(a, b))) {
            return false;
        }
        let known = |unit: &[usize]| self.units.iter().find(|u| u.ops == unit).and_then(|u| u.group.clone());
        let made = units
            .into_iter()
            .map(|unit| if unit == ops { Unit { ops: unit, group: Some(group.clone()) } } else { Unit { group: known(&unit), ops: unit } });
        self.units = made.collect();
        true
    }
}

/// Joins to the product `list[at]` the functions that can follow it in one launch.
fn layer(list: &[Op], at: usize, order: &mut Order, takes: &dyn Fn(&Group) -> bool) {
    let product = &list[at];
    let mut members = vec![at];
    loop {
        let tail: Vec<Op> = members[1..].iter().map(|&m| list[m].clone()).collect();
        let last = list[members[members.len() - 1]].result();
        let next = (at + 1..list.len()).find(|&next| {
            let op = &list[next];
            let all: Vec<&Op> = members.iter().map(|&m| &list[m]).chain([op]).collect();
            // Of what the group makes, only the last result and the product are still in a register.
            let known = |view: &View| view.identical(product.result()) || !all[1..].iter().any(|made| made.result().overlaps(view));
            let goes_on = flow(op).is_some_and(|(x, others)| x.identical(last) && others.into_iter().all(known));
            if !order.is_free(next) || !goes_on || !apart(&all) {
                return false;
            }
            let group = Group::Layer(Layer { product: product.clone(), tail: [tail.clone(), vec![op.clone()]].concat() });
            takes(&group) && order.join(&[members.clone(), vec![next]].concat(), at, group)
        });
        match next {
            Some(next) => members.push(next),
            None => return,
        }
    }
}

/// Puts layers together that lie one behind the other.
fn chains(list: &[Op], order: &mut Order, takes: &dyn Fn(&Group) -> bool) {
    // What follows a product may see its numbers in another shape, in which they are no longer the product's rows.
    let whole = |layer: &Layer| layer.result().shape == layer.product.result().shape;
    let layers = |unit: &Unit| match &unit.group {
        Some(Group::Chain(layers)) => layers.clone(),
        Some(Group::Layer(layer)) if whole(layer) => vec![layer.clone()],
        None if is_product(&list[unit.ops[0]]) => vec![Layer { product: list[unit.ops[0]].clone(), tail: vec![] }],
        _ => vec![],
    };
    let mut at = 0;
    while at < order.units.len() {
        let first = layers(&order.units[at]);
        let joined = first.last().is_some_and(|last| {
            let last = last.result().clone();
            let follows = |unit: &Unit| match layers(unit).first().map(|layer| &layer.product) {
                Some(Op::Dense { x: rows, .. } | Op::DenseDx { dz: rows, .. }) => rows.identical(&last) && rows.shape == last.shape,
                _ => false,
            };
            (at + 1..order.units.len()).any(|next| {
                let (unit, after) = (&order.units[at], &order.units[next]);
                if !follows(after) {
                    return false;
                }
                let all = [first.clone(), layers(after)].concat();
                let (ops, to) = ([unit.ops.clone(), after.ops.clone()].concat(), unit.ops[0]);
                let group = Group::Chain(all);
                apart(&group.ops()) && takes(&group) && order.join(&ops, to, group)
            })
        });
        if !joined {
            at += 1;
        }
    }
}

/// Whether an op is a product of rows, with which a layer begins.
fn is_product(op: &Op) -> bool {
    matches!(op, Op::Dense { .. } | Op::DenseDx { .. })
}

/// Whether the ops of a group touch nothing that another of them writes, but for results that are handed on: some parts
/// of a launch may be done before others have begun.
fn apart(ops: &[&Op]) -> bool {
    let handed_on = |to: &Op, name: &str| match to {
        Op::Dense { .. } | Op::Map { .. } => name == "x",
        Op::DenseDx { .. } => name == "dz",
        Op::MapGrad { .. } => name == "x" || name == "dy",
        Op::ReduceGrad { f, .. } => name == f.operands()[0],
        Op::Adam { .. } => name == "g",
        _ => false,
    };
    let meets = |(a, from): (usize, &Op), (b, to): (usize, &Op)| {
        let mut met = to.form().operands().filter(|o| from.writes().any(|written| written.overlaps(o.of)));
        met.any(|o| o.role != Role::Read || a > b || !handed_on(to, o.name) || !o.of.identical(from.result()))
    };
    let all = || ops.iter().copied().enumerate();
    !all().any(|a| all().any(|b| a.0 != b.0 && meets(a, b)))
}

/// What a function of single numbers takes from the op before it, and what else it reads. `None` for all other ops.
fn flow(op: &Op) -> Option<(&View, Vec<&View>)> {
    match op {
        Op::Map { x, .. } => Some((x, vec![])),
        Op::MapGrad { x, dy, .. } => Some((dy, vec![x])),
        Op::ReduceGrad { f: Term::Mse | Term::Bce | Term::SquareSum, x: Some(x), other, dy, .. } => {
            Some((x, other.iter().chain([dy]).collect()))
        }
        _ => None,
    }
}

/// Gradients that are made together, and where.
struct Together {
    all: Vec<Gradient>,
    /// The places of their ops.
    places: Vec<usize>,
    /// The layer behind which they are ready.
    behind: Option<usize>,
}

/// Puts gradients together that are ready at the same time, behind the same layer. Others would keep them waiting.
fn gradients(list: &[Op], order: &mut Order, takes: &dyn Fn(&Group) -> bool) {
    let mut made: Vec<Together> = Vec::new();
    for at in 0..list.len() {
        if !matches!(list[at], Op::DenseDw { .. }) {
            continue;
        }
        // With the updates, if they can be made at once.
        for (gradient, places) in [true, false].map(|updated| gradient(list, at, order, updated)) {
            let behind = order.behind(&places, |op| is_product(&list[op]));
            let with = |before: &Together| Together {
                all: [before.all.clone(), vec![gradient.clone()]].concat(),
                places: [before.places.clone(), places.clone()].concat(),
                behind,
            };
            let nothing = Together { all: vec![], places: vec![], behind };
            let join = |together: &Together, order: &mut Order| {
                let (group, last) = (Group::Gradients(together.all.clone()), together.places.iter().max());
                same_steps(&together.all)
                    && apart(&group.ops())
                    && takes(&group)
                    && last.is_some_and(|last| order.join(&together.places, *last, group))
            };
            if let Some(before) = made.iter_mut().filter(|t| t.behind == behind).find(|before| join(&with(before), order)) {
                *before = with(before);
                break;
            }
            if join(&with(&nothing), order) {
                made.push(with(&nothing));
                break;
            }
        }
    }
}

/// The gradient of the weights `list[at]`, the bias's beside it, perhaps their updates, and where these ops stand.
fn gradient(list: &[Op], at: usize, order: &Order, updated: bool) -> (Gradient, Vec<usize>) {
    let find = |wanted: &dyn Fn(&Op) -> bool| (0..list.len()).find(|&other| order.is_free(other) && wanted(&list[other]));
    let same_rows = |op: &Op| match (op, &list[at]) {
        (Op::DenseDb { dz, .. }, Op::DenseDw { dz: own, .. }) => dz.identical(own) && dz.shape == own.shape,
        _ => false,
    };
    let update = |of: usize| find(&|op| updated && matches!(op, Op::Adam { g, .. } if g.identical(list[of].result())));
    let db = find(&same_rows);
    let (adam_w, adam_b) = (update(at), db.and_then(update));
    let op = |at: Option<usize>| at.map(|at| list[at].clone());
    let gradient = Gradient { dw: list[at].clone(), db: op(db), adam_w: op(adam_w), adam_b: op(adam_b) };
    (gradient, [Some(at), db, adam_w, adam_b].into_iter().flatten().collect())
}

/// Whether all updates are made at the same step with the same numbers.
fn same_steps(all: &[Gradient]) -> bool {
    let mut steps = all.iter().flat_map(Gradient::ops).filter_map(|op| match op {
        Op::Adam { table, clock, hyper, .. } => Some((table, clock, hyper)),
        _ => None,
    });
    let Some((table, clock, hyper)) = steps.next() else { return true };
    steps.all(|(t, c, h)| t.identical(table) && c.identical(clock) && h == hyper)
}

/// Lets `list[at]`, which advances the clock, take along the numbers that are stored before, and the sums that are
/// left.
fn end(list: &[Op], at: usize, order: &mut Order, takes: &dyn Fn(&Group) -> bool) {
    let Op::Advance { clock: own, .. } = &list[at] else { return };
    let (mut sums, mut stores): (Vec<usize>, Vec<usize>) = (vec![], vec![]);
    let of = |places: &[usize]| places.iter().map(|&place| list[place].clone()).collect::<Vec<_>>();
    let join = |sums: &[usize], stores: &[usize], order: &mut Order| {
        let group = Group::End { sums: of(sums), stores: of(stores), advance: list[at].clone() };
        takes(&group) && order.join(&[sums, stores, &[at]].concat(), at, group)
    };
    for before in (0..at).filter(|&before| matches!(&list[before], Op::Store { x, clock, .. } if x.len() == 1 && clock.identical(own))) {
        let more = [&stores[..], &[before]].concat();
        if order.is_free(before) && join(&sums, &more, order) {
            stores = more;
        }
    }
    for before in (0..at).filter(|&before| matches!(list[before], Op::Reduce { .. })) {
        // All sums are made before any number is stored, and parts of each before any sum.
        let first = |other: &usize| !order.conflict[before.min(*other)][before.max(*other)];
        let apart = sums.iter().all(first) && stores.iter().all(|store| *store > before || first(store));
        let more = [&sums[..], &[before]].concat();
        if order.is_free(before) && apart && join(&more, &stores, order) {
            sums = more;
        }
    }
}
