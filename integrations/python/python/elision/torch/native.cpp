// The compiled core of `elision.torch`: dropout of ordinary tensors without Python.
//
// It adds no meaning. Whatever is not ordinary goes to the kernels in Python, and a key gives the same elements here
// and there. It uses PyTorch's C++ alone, not that of its bindings, so that one build serves every Python.

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/EmptyTensor.h>
#include <ATen/PythonTorchFunctionTLS.h>
#include <ATen/ops/lift_fresh.h>
#include <c10/core/impl/TorchDispatchModeTLS.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/csrc/dynamo/compiled_autograd.h>
#include <torch/library.h>

#include <memory>
#include <mutex>

namespace {

using at::Tensor;
using c10::DispatchKey;
using c10::DispatchKeySet;
using torch::autograd::variable_list;

// `_native._dropout_address`, which shares the work by itself: it knows of forked children, in which OpenMP would wait
// for threads that are not there.
using Run = int (*)(const float* src, float* dst, size_t n, uint64_t key_low, uint64_t key_high, double p);
Run run = nullptr;

struct Dropout {
  uint64_t low;
  uint64_t high;
  double p;
};

// As `random_` fills two numbers of 64 bits, so that one seed is one mask with and without this file.
Dropout drawn(double p) {
  constexpr uint64_t bits = ~uint64_t{0} >> 1;
  auto* generator = at::check_generator<at::CPUGeneratorImpl>(at::detail::getDefaultCPUGenerator());
  const std::lock_guard<std::mutex> lock(generator->mutex_);
  const uint64_t low = generator->random64() & bits;
  const uint64_t high = generator->random64() & bits;
  return {low, high, p};
}

// An ordinary tensor is one of the CPU that is nothing more: not sparse, negated, batched, or Python's to dispatch.
bool ordinary(const Tensor& x) {
  constexpr auto usual = c10::autograd_dispatch_keyset_with_ADInplaceOrView | DispatchKeySet(DispatchKey::AutocastCPU);
  return x.key_set() - usual == DispatchKeySet(DispatchKey::CPU) && x.scalar_type() == at::kFloat;
}

// Whether something must see operators that it knows: a mode, a transform of torch.func or a tracer.
bool watched() {
  return c10::impl::TorchDispatchModeTLS::any_modes_set() || at::impl::torch_function_mode_enabled() ||
      c10::impl::tls_is_dispatch_key_included(DispatchKey::FuncTorchDynamicLayerFrontMode) ||
      c10::impl::tls_is_dispatch_key_included(DispatchKey::Tracer);
}

// Within a `__torch_function__` the tensor may be of a subclass, which only Python can tell.
bool within_subclass() {
  using at::impl::PythonTorchFunctionTLS;
  return PythonTorchFunctionTLS::get_disabled_state() != at::impl::TorchFunctionDisabledState::ENABLED;
}

void fill(const Tensor& x, const Tensor& y, const Dropout& dropout) {
  // First the address to write, since asking for it may give a tensor that is copied on writing another one.
  float* to = y.mutable_data_ptr<float>();
  const float* from = x.const_data_ptr<float>();
  const int fault = run(from, to, static_cast<size_t>(x.numel()), dropout.low, dropout.high, dropout.p);
  TORCH_CHECK(fault == 0, "elision failed within, which is a fault of its own");
}

Tensor dropped(const Tensor& x, const Dropout& dropout) {
  const Tensor y(at::detail::empty_strided_cpu(x.sizes(), x.strides(), at::kFloat));
  fill(x, y, dropout);
  return y;
}

// The operator in Python, which can be differentiated, and which modes and transforms know.
Tensor by_operator(const Tensor& x, const Dropout& dropout) {
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("elision::dropout", "")
                             .typed<Tensor(const Tensor&, const Tensor&, double)>();
  const Tensor key(at::detail::empty_cpu({2}, at::kLong));
  auto* halves = key.mutable_data_ptr<int64_t>();
  halves[0] = static_cast<int64_t>(dropout.low);
  halves[1] = static_cast<int64_t>(dropout.high);
  return op.call(x, at::lift_fresh(key), dropout.p);
}

// Whether nobody but the caller can see the memory of a gradient, so that it may be written. The rule is that by which
// PyTorch takes gradients for its own; memory that is somebody else's besides, such as NumPy's, is left alone too.
bool alone(const Tensor& g) {
  return torch::autograd::impl::is_tensor_stealable(g) && g.storage().use_count() == 1 && g.storage().resizable() &&
      !g.requires_grad();
}

// Keeps the key, and no tensor.
struct ElisionDropoutBackward final : torch::autograd::Node {
  explicit ElisionDropoutBackward(const Dropout& dropout) : dropout(dropout) {}

  std::string name() const override {
    return "ElisionDropoutBackward";
  }

  variable_list apply(variable_list&& grads) override {
    Tensor g = std::move(grads[0]);
    if (!g.defined()) {
      return {g};
    }
    if (at::GradMode::is_enabled() || watched() || !ordinary(g)) {
      return {by_operator(g, dropout)};
    }
    g = g.contiguous();
    if (!alone(g)) {
      return {dropped(g, dropout)};
    }
    fill(g, g, dropout);
    return {g};
  }

  // Compiled autograd: a graph for each key, since it is a constant of the graph.
  void compiled_args(torch::dynamo::autograd::CompiledNodeArgs& args) const override {
    args.collect(dropout.low);
    args.collect(dropout.high);
    args.collect(dropout.p);
  }

  variable_list apply_with_saved(const variable_list& grads, torch::dynamo::autograd::SwapSavedVariables&) override {
    return {grads[0].defined() ? by_operator(grads[0], dropout) : Tensor()};
  }

  const Dropout dropout;
};

// Dropout of an ordinary contiguous tensor, for autograd where that looks.
Tensor recorded(DispatchKeySet keys, const Tensor& x, const Dropout& dropout) {
  Tensor y = dropped(x, dropout);
  if (keys.has(DispatchKey::AutogradCPU) && at::GradMode::is_enabled() && x.requires_grad()) {
    auto node = c10::make_intrusive<ElisionDropoutBackward>(dropout);
    node->set_next_edges(torch::autograd::collect_next_edges(x));
    torch::autograd::set_history(y, node);
  }
  return y;
}

// The kernel in Python for the same dispatch key.
Tensor elsewhere(DispatchKeySet keys, const Tensor& x, double p, bool train) {
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("elision::dropout_elsewhere", "")
                             .typed<Tensor(const Tensor&, double, bool)>();
  return op.redispatch(keys, x, p, train);
}

// `aten::dropout`, for autograd and below it.
Tensor aten_dropout(DispatchKeySet keys, const Tensor& x, double p, bool train) {
  const bool here = train && p > 0.0 && p <= 1.0 && ordinary(x) && x.is_contiguous() && x.numel() > 0 && !watched() &&
      !within_subclass() && !(keys.has(DispatchKey::AutogradCPU) && x._fw_grad(0).defined());
  return here ? recorded(keys, x, drawn(p)) : elsewhere(keys, x, p, train);
}

// For the functions of the package, which leave other tensors to Python; but an operator can be called by anybody.
void check(const Tensor& x) {
  TORCH_CHECK_TYPE(ordinary(x) && x.is_contiguous(), "x is no contiguous float32 tensor of the CPU");
}

Tensor from_draw(DispatchKeySet keys, const Tensor& x, double p) {
  check(x);
  return recorded(keys, x, drawn(p));
}

Tensor from_key(DispatchKeySet keys, const Tensor& x, double p, int64_t low, int64_t high) {
  check(x);
  return recorded(keys, x, {static_cast<uint64_t>(low), static_cast<uint64_t>(high), p});
}

TORCH_LIBRARY_FRAGMENT(elision, library) {
  library.def("dropout_from_draw(Tensor x, float p) -> Tensor");
  library.def("dropout_from_key(Tensor x, float p, int low, int high) -> Tensor");
  for (const auto key : {DispatchKey::AutogradCPU, DispatchKey::CPU}) {
    library.impl("dropout_from_draw", torch::dispatch(key, TORCH_FN(from_draw)));
    library.impl("dropout_from_key", torch::dispatch(key, TORCH_FN(from_key)));
  }
}

std::unique_ptr<torch::Library> patch;

} // namespace

#define EXPORT extern "C" __attribute__((visibility("default")))

EXPORT void elision_begin(Run dropout) {
  run = dropout;
}

// 0, or 1 if PyTorch refused the kernels.
EXPORT int elision_patch() {
  try {
    auto library = std::make_unique<torch::Library>(torch::Library::IMPL, "aten", std::nullopt, __FILE__, __LINE__);
    for (const auto key : {DispatchKey::AutogradCPU, DispatchKey::CPU}) {
      library->impl("dropout", torch::dispatch(key, TORCH_FN(aten_dropout)));
    }
    patch = std::move(library);
    return 0;
  } catch (const std::exception&) {
    return 1;
  }
}

EXPORT void elision_unpatch() {
  patch.reset();
}
