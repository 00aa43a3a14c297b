//! An open device: its limits, its faults, its pipelines, and the eager path.

use super::bind::{Bound, Reach, bind};
use super::plan::{FULL, Facts, plan};
use super::shader::Pattern;
use super::{WAITS, now};
use crate::device::{DeviceInfo, View};
use crate::op::{BLOCK, Op};
use crate::time::Duration;
use crate::{Error, Result};
use std::cell::Cell;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The parameters of one launch take at most this many bytes.
pub(super) const PARAMS: u64 = 512;

pub(super) struct Opened {
    pub(super) id: String,
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    pub(super) reach: Reach,
    pub(super) facts: Facts,
    /// Bytes from one launch's parameters to the next.
    pub(super) slot: u64,
    largest: u64,
    faults: Arc<Mutex<Faults>>,
    state: Mutex<State>,
    /// A change that a test makes to a shader's text before it is compiled.
    #[cfg(test)]
    pub(super) plant: std::sync::OnceLock<Plant>,
}

/// From a shader's stem and text to another text.
#[cfg(test)]
pub(super) type Plant = Box<dyn Fn(&str, String) -> String + Send + Sync>;

thread_local! {
    /// Writes from the host and mapped buffers, counted per thread: a program counts those of its runs.
    static TRAFFIC: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
}

/// What this thread has written and mapped so far.
pub(super) fn traffic() -> (u64, u64) {
    TRAFFIC.get()
}

pub(super) fn count_write() {
    TRAFFIC.set((TRAFFIC.get().0 + 1, TRAFFIC.get().1));
}

pub(super) fn count_map() {
    TRAFFIC.set((TRAFFIC.get().0, TRAFFIC.get().1 + 1));
}

/// Errors that drivers reported outside any call.
#[derive(Default)]
struct Faults {
    lost: Option<String>,
    /// An error that no scope caught.
    stray: Option<String>,
}

/// State that calls reuse. Holding its lock means holding the queue.
#[derive(Default)]
pub(super) struct State {
    /// By the shader's name and how its operands are bound.
    pipelines: HashMap<(String, Pattern), Pipeline>,
    /// The parameters of the op being run.
    params: Option<wgpu::Buffer>,
    /// The buffer that reads arrive in.
    pub(super) staging: Option<wgpu::Buffer>,
}

#[derive(Clone)]
struct Pipeline {
    pipeline: wgpu::ComputePipeline,
    layout: wgpu::BindGroupLayout,
}

/// A launch that is ready to be recorded.
pub(super) struct Dispatch {
    pub(super) pipeline: wgpu::ComputePipeline,
    pub(super) group: wgpu::BindGroup,
    pub(super) grid: [u32; 2],
}

/// A lock that ignores poisoning: the state is a cache, valid at any moment.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a call gives, or the message of its panic.
fn caught<T>(body: impl FnOnce() -> T) -> std::result::Result<T, String> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(body)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
        one_line(&text.unwrap_or("a panic"))
    })
}

impl Opened {
    pub(super) async fn open(info: &DeviceInfo, adapter: &wgpu::Adapter) -> Result<Opened> {
        let limits = adapter.limits();
        let wanted = wgpu::DeviceDescriptor { label: Some("narrows"), required_limits: limits.clone(), ..Default::default() };
        let (device, queue) = adapter.request_device(&wanted).await.map_err(|e| {
            Error::device(&info.id, format!("{} could not be opened: {e}", info.name), "Update its driver, or use another device.")
        })?;
        let faults = Arc::new(Mutex::new(Faults::default()));
        let sink = faults.clone();
        device.on_uncaptured_error(Arc::new(move |e: wgpu::Error| {
            lock(&sink).stray.get_or_insert(e.to_string());
        }));
        let sink = faults.clone();
        device.set_device_lost_callback(move |reason, text| {
            lock(&sink).lost.get_or_insert(if text.is_empty() { format!("{reason:?}").to_lowercase() } else { text });
        });
        let alignment = u64::from(limits.min_storage_buffer_offset_alignment).max(4);
        Ok(Opened {
            id: info.id.clone(),
            device,
            queue,
            facts: Facts { software: info.software, buffers: limits.max_storage_buffers_per_shader_stage as usize, full: FULL, few: BLOCK },
            reach: Reach { binding: limits.max_storage_buffer_binding_size, alignment },
            slot: PARAMS.next_multiple_of(u64::from(limits.min_uniform_buffer_offset_alignment).max(4)),
            largest: limits.max_buffer_size,
            faults,
            state: Mutex::default(),
            #[cfg(test)]
            plant: Default::default(),
        })
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    pub(super) fn error(&self, problem: impl Into<String>, remedy: &str) -> Error {
        Error::device(&self.id, problem, remedy)
    }

    /// Waits for what the device was given, but not for long: only then does a lost device say so, and till then its
    /// errors name other reasons.
    pub(super) fn settle(&self) {
        let _ = self.poll(wgpu::PollType::Wait { submission_index: None, timeout: Some(Duration::from_secs(1)) });
    }

    /// Hears what the device has to say, waiting or not. Where a device is lost at this moment wgpu panics: here that
    /// is the loss, and the reason.
    pub(super) fn poll(&self, how: wgpu::PollType) -> std::result::Result<(), String> {
        if let Some(text) = &lock(&self.faults).lost {
            return Err(text.clone());
        }
        let polled = caught(|| self.device.poll(how)).inspect_err(|text| {
            lock(&self.faults).lost.get_or_insert(text.clone());
        })?;
        polled.map(|_| ()).map_err(|e| e.to_string())
    }

    /// # Errors
    /// When the device was lost, or reported an error that no call of ours caught.
    pub(super) fn alive(&self) -> Result<()> {
        let mut faults = lock(&self.faults);
        if let Some(text) = &faults.lost {
            return Err(
                self.error(format!("the device was lost: {}", text.trim_end_matches('.')), "Open the device again, or use another.")
            );
        }
        match faults.stray.take() {
            Some(text) => Err(self.error(text.trim_end_matches('.'), "Use another device, and report this message.")),
            None => Ok(()),
        }
    }

    /// Does something with the device, and returns any fault that the device reports as an error. In a page the answer
    /// comes later: the handler gets it, and so does the next call.
    pub(super) fn guarded<T>(&self, doing: &str, body: impl FnOnce() -> Result<T>) -> Result<T> {
        self.alive()?;
        if !WAITS {
            return body();
        }
        let memory = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let internal = self.device.push_error_scope(wgpu::ErrorFilter::Internal);
        let validation = self.device.push_error_scope(wgpu::ErrorFilter::Validation);
        let result = body();
        // Scopes are a stack: the last in is the first out.
        let caught = [now(validation.pop()), now(internal.pop()), now(memory.pop())].into_iter().flatten().flatten().next();
        if caught.is_some() {
            self.settle();
        }
        self.alive()?;
        match caught {
            None => result,
            Some(wgpu::Error::OutOfMemory { .. }) => {
                Err(self.error(format!("out of memory in {doing}"), "Use a smaller batch or model, or another device."))
            }
            Some(e) => Err(self.error(format!("{doing}: {}", one_line(&e)), "Use another device, and report this message.")),
        }
    }

    /// Waits until a submit is done. Whether it is: a page can't wait.
    pub(super) fn wait(&self, submit: wgpu::SubmissionIndex) -> Result<bool> {
        let done = self.poll(wgpu::PollType::Wait { submission_index: Some(submit), timeout: None });
        self.alive()?;
        done.map(|()| WAITS).map_err(|e| self.error(format!("waiting for a run: {e}"), "Open the device again, or use another."))
    }

    pub(super) fn alloc(&self, bytes: u64) -> Result<wgpu::Buffer> {
        let size = bytes.max(4).next_multiple_of(4);
        if size > self.largest {
            return Err(self.error(
                format!("a buffer of {bytes} bytes, but this adapter allocates at most {}", self.largest),
                "Keep images as bytes, use less data at once, or another device.",
            ));
        }
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
        self.guarded(&format!("an allocation of {bytes} bytes"), || Ok(self.buffer(size, usage)))
    }

    pub(super) fn buffer(&self, size: u64, usage: wgpu::BufferUsages) -> wgpu::Buffer {
        self.device.create_buffer(&wgpu::BufferDescriptor { label: None, size, usage, mapped_at_creation: false })
    }

    /// The allocation behind a view.
    pub(super) fn storage<'a>(&self, view: &'a View) -> Result<&'a wgpu::Buffer> {
        view.buffer.storage.downcast_ref().ok_or_else(|| self.error("a buffer of another device", "Put all operands on one device."))
    }

    /// Runs one op: its launches in one pass, one submit.
    pub(super) fn run(&self, op: &Op) -> Result<()> {
        let launches = plan(op, self.facts)?;
        if launches.is_empty() {
            return self.alive();
        }
        let state = &mut *self.state();
        self.guarded(op.name(), || {
            let bound = launches.iter().map(|l| bind(l, self.reach, &self.id)).collect::<Result<Vec<_>>>()?;
            let params = self.slots(&bound)?;
            if state.params.as_ref().is_none_or(|b| b.size() < params.len() as u64) {
                state.params = Some(self.buffer(params.len() as u64, wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST));
            }
            let buffer = state.params.clone().ok_or_else(|| self.error("no parameters", "This is a bug in narrows: please report it."))?;
            // Writes join the queue: launches that were submitted before still see the old parameters.
            count_write();
            self.queue.write_buffer(&buffer, 0, &params);
            let mut encoder = self.device.create_command_encoder(&Default::default());
            let mut pass = encoder.begin_compute_pass(&Default::default());
            for (i, (launch, bound)) in launches.iter().zip(&bound).enumerate() {
                let ready = self.ready(state, launch.grid, bound, &buffer, i as u64)?;
                pass.set_pipeline(&ready.pipeline);
                pass.set_bind_group(0, &ready.group, &[]);
                pass.dispatch_workgroups(ready.grid[0], ready.grid[1], 1);
            }
            drop(pass);
            self.queue.submit([encoder.finish()]);
            Ok(())
        })
    }

    /// The parameters of many launches, a slot each.
    pub(super) fn slots(&self, bound: &[Bound]) -> Result<Vec<u8>> {
        let mut bytes = vec![0; self.slot as usize * bound.len()];
        for (slot, bound) in bytes.chunks_exact_mut(self.slot as usize).zip(bound) {
            let words: &[u8] = bytemuck::cast_slice(&bound.words);
            if words.len() as u64 > PARAMS {
                return Err(self.error(
                    format!("{} has {} bytes of parameters", bound.shader.name, words.len()),
                    "This is a bug in narrows: please report it.",
                ));
            }
            slot[..words.len()].copy_from_slice(words);
        }
        Ok(bytes)
    }

    /// The pipeline and the bind group of a launch whose parameters are in slot `slot` of `params`.
    pub(super) fn ready(&self, state: &mut State, grid: [u32; 2], bound: &Bound, params: &wgpu::Buffer, slot: u64) -> Result<Dispatch> {
        let Pipeline { pipeline, layout } = self.pipeline(state, bound);
        let window =
            |buffer, offset, size| wgpu::BindingResource::Buffer(wgpu::BufferBinding { buffer, offset, size: wgpu::BufferSize::new(size) });
        let mut entries = vec![wgpu::BindGroupEntry { binding: 0, resource: window(params, slot * self.slot, PARAMS) }];
        for w in &bound.windows {
            entries.push(wgpu::BindGroupEntry { binding: w.index as u32 + 1, resource: window(self.storage(&w.view)?, w.start, w.size) });
        }
        let group = self.device.create_bind_group(&wgpu::BindGroupDescriptor { label: None, layout: &layout, entries: &entries });
        Ok(Dispatch { pipeline, group, grid })
    }

    /// Compiled at first use: some 15 ms on lavapipe.
    fn pipeline(&self, state: &mut State, bound: &Bound) -> Pipeline {
        let key = (bound.shader.name.clone(), bound.pattern.clone());
        state.pipelines.entry(key).or_insert_with(|| self.build(bound)).clone()
    }

    fn build(&self, bound: &Bound) -> Pipeline {
        let text = bound.shader.variant(&bound.pattern);
        #[cfg(test)]
        let text = match self.plant.get() {
            Some(plant) => plant(bound.shader.stem, text),
            None => text,
        };
        let source = wgpu::ShaderSource::Wgsl(text.into());
        let module = self.module(wgpu::ShaderModuleDescriptor { label: Some(bound.shader.stem), source });
        let buffer = |binding, ty| wgpu::BindGroupLayoutEntry {
            binding,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size: None },
            count: None,
        };
        let mut entries = vec![buffer(0, wgpu::BufferBindingType::Uniform)];
        entries.extend(bound.windows.iter().map(|w| buffer(w.index as u32 + 1, wgpu::BufferBindingType::Storage { read_only: !w.writes })));
        let layout =
            self.device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: Some(&bound.shader.name), entries: &entries });
        let groups = [Some(&layout)];
        let whole = self.device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some(&bound.shader.name),
            bind_group_layouts: &groups,
            immediate_size: 0,
        });
        let pipeline = self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(&bound.shader.name),
            layout: Some(&whole),
            module: &module,
            entry_point: Some("main"),
            // Nothing reaches a buffer of workgroup memory that was not written.
            compilation_options: wgpu::PipelineCompilationOptions { zero_initialize_workgroup_memory: false, ..Default::default() },
            cache: None,
        });
        Pipeline { pipeline, layout }
    }
}

impl Opened {
    /// A shader without the checks that wgpu adds, unless `NARROWS_WGSL_CHECKS` asks for them: of each index, each
    /// division and the length of each loop. Loops with a counter of their own are not unrolled.
    #[allow(unsafe_code)]
    fn module(&self, text: wgpu::ShaderModuleDescriptor) -> wgpu::ShaderModule {
        if std::env::var_os("NARROWS_WGSL_CHECKS").is_some() {
            return self.device.create_shader_module(text);
        }
        // SAFETY: a shader reads and writes only elements of its views, which `Op::check` proved to lie in their
        // buffers: each guards what it reaches by the sizes in its parameters or in its text. No divisor is 0 where a
        // thread divides, and every loop ends. The table of all ops passes with the checks as well.
        unsafe { self.device.create_shader_module_trusted(text, wgpu::ShaderRuntimeChecks::unchecked()) }
    }
}

/// An error with its causes, on one line.
fn one_line(error: &impl std::fmt::Display) -> String {
    error.to_string().split_whitespace().collect::<Vec<_>>().join(" ").trim_end_matches('.').to_string()
}

#[cfg(test)]
mod tests {
    use super::caught;

    #[test]
    fn a_panic_becomes_its_message_in_a_line() {
        assert_eq!(caught(|| 3), Ok(3));
        assert_eq!(caught(|| panic!("device\n  lost.")).map(|()| 0), Err("device lost".into()));
        assert_eq!(caught(|| panic!("{}", String::from("lost"))).map(|()| 0), Err("lost".into()));
    }
}
