//! Bytes to and from the device. wgpu moves whole words at multiples of 4; views of bytes start and end anywhere.

use super::WAITS;
use super::opened::{Opened, State, count_map, count_write};
use crate::device::{Arriving, View};
use crate::{Error, Result};
use std::fmt::Display;
use std::sync::{Arc, mpsc};

/// Bytes moved at once, so that staging memory stays small beside the data.
const MOST: u64 = 64 << 20;

impl Opened {
    /// # Errors
    /// When the device is lost or out of memory.
    pub(super) fn write(&self, to: &View, from: &[u8]) -> Result<()> {
        if from.is_empty() {
            return Ok(());
        }
        let buffer = self.storage(to)?;
        let start = (to.offset * to.dtype().size()) as u64;
        let end = start + from.len() as u64;
        let state = &mut *self.state();
        self.guarded("write", || {
            let (low, high) = (start / 4 * 4, end.next_multiple_of(4));
            let (mut from, mut at) = (from, start);
            if !start.is_multiple_of(4) {
                // The first word holds neighbours: read it, and put it back with them.
                let mut word = self.word(state, buffer, low)?;
                let n = (4 - (start - low) as usize).min(from.len());
                word[(start - low) as usize..][..n].copy_from_slice(&from[..n]);
                count_write();
                self.queue.write_buffer(buffer, low, &word);
                (from, at) = (&from[n..], low + 4);
            }
            let (body, tail) = from.split_at(from.len() / 4 * 4);
            for piece in body.chunks(MOST as usize) {
                count_write();
                self.queue.write_buffer(buffer, at, piece);
                at += piece.len() as u64;
                if body.len() as u64 > MOST {
                    // Submits the staging memory now, instead of keeping it for the next submit.
                    self.queue.submit([]);
                }
            }
            if !tail.is_empty() {
                // Behind the buffer's last byte the word has no neighbours.
                let last = end == (to.buffer.len * to.dtype().size()) as u64;
                let mut word = if last { [0; 4] } else { self.word(state, buffer, high - 4)? };
                word[..tail.len()].copy_from_slice(tail);
                count_write();
                self.queue.write_buffer(buffer, high - 4, &word);
            }
            Ok(())
        })
    }

    /// # Errors
    /// When the device is lost or out of memory.
    pub(super) fn read(&self, from: &View, to: &mut [u8]) -> Result<()> {
        if to.is_empty() {
            return Ok(());
        }
        let buffer = self.storage(from)?;
        let start = (from.offset * from.dtype().size()) as u64;
        let state = &mut *self.state();
        self.guarded("read", || {
            for (i, piece) in to.chunks_mut(MOST as usize).enumerate() {
                self.fetch(state, buffer, start + i as u64 * MOST, piece)?;
            }
            Ok(())
        })
    }

    fn word(&self, state: &mut State, buffer: &wgpu::Buffer, at: u64) -> Result<[u8; 4]> {
        let mut word = [0; 4];
        self.fetch(state, buffer, at, &mut word)?;
        Ok(word)
    }

    /// Reads `to.len()` bytes at any offset, after everything that was submitted.
    fn fetch(&self, state: &mut State, buffer: &wgpu::Buffer, start: u64, to: &mut [u8]) -> Result<()> {
        let mut copy = self.copy(state.staging.take(), buffer, start, to.len());
        self.finish(&mut copy, to)?;
        state.staging = Some(copy.staging);
        Ok(())
    }

    /// Begins to copy `len` bytes to the host, through a buffer that is there already if it is large enough.
    fn copy(&self, staging: Option<wgpu::Buffer>, buffer: &wgpu::Buffer, start: u64, len: usize) -> Copy {
        let low = start / 4 * 4;
        let size = (start + len as u64).next_multiple_of(4) - low;
        let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
        let enough = staging.filter(|staging| staging.size() >= size);
        let staging = enough.unwrap_or_else(|| self.buffer(size.next_power_of_two(), usage));
        let mut encoder = self.device.create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(buffer, low, &staging, 0, size);
        self.queue.submit([encoder.finish()]);
        let (done, mapped) = mpsc::channel();
        count_map();
        staging.map_async(wgpu::MapMode::Read, 0..size, move |result| {
            let _ = done.send(result);
        });
        Copy { staging, mapped, there: false, skip: (start - low) as usize, size }
    }

    /// Whether a copy is there, without waiting.
    fn arrived(&self, copy: &mut Copy) -> Result<bool> {
        if !copy.there {
            self.poll(wgpu::PollType::Poll).map_err(|e| self.unread(e))?;
            copy.there = match copy.mapped.try_recv() {
                Ok(mapped) => mapped.map(|()| true).map_err(|e| self.unread(e))?,
                Err(mpsc::TryRecvError::Empty) => false,
                Err(e) => return Err(self.unread(e)),
            };
        }
        Ok(copy.there)
    }

    /// Waits for a copy, and takes it.
    fn finish(&self, copy: &mut Copy, to: &mut [u8]) -> Result<()> {
        self.taken(copy, to).map_err(|e| {
            self.settle();
            self.alive().err().unwrap_or(e)
        })
    }

    fn taken(&self, copy: &mut Copy, to: &mut [u8]) -> Result<()> {
        if !self.arrived(copy)? {
            if !WAITS {
                return Err(self.error("a page can't wait for what it reads", "Use start_read, and take it when it is ready."));
            }
            self.poll(wgpu::PollType::wait_indefinitely()).map_err(|e| self.unread(e))?;
            // Another thread that waits at the same time may be about to call back.
            copy.mapped.recv().map_err(|e| self.unread(e))?.map_err(|e| self.unread(e))?;
        }
        let bytes = copy.staging.get_mapped_range(0..copy.size).map_err(|e| self.unread(e))?;
        to.copy_from_slice(&bytes[copy.skip..][..to.len()]);
        drop(bytes);
        copy.staging.unmap();
        Ok(())
    }

    fn unread(&self, why: impl Display) -> Error {
        self.error(format!("a read failed: {why}"), "Open the device again, or use another.")
    }
}

/// A copy to the host that has begun.
struct Copy {
    staging: wgpu::Buffer,
    mapped: mpsc::Receiver<std::result::Result<(), wgpu::BufferAsyncError>>,
    there: bool,
    /// Bytes before those that are wanted.
    skip: usize,
    size: u64,
}

/// A view's bytes on their way to the host.
pub(super) struct Arrival {
    opened: Arc<Opened>,
    /// `None` where the view has no bytes.
    copy: Option<Copy>,
}

impl Arrival {
    /// # Errors
    /// When the device is lost or out of memory.
    pub(super) fn start(opened: Arc<Opened>, from: &View) -> Result<Arrival> {
        let bytes = from.len() * from.dtype().size();
        if bytes == 0 {
            return Ok(Arrival { opened, copy: None });
        }
        let buffer = opened.storage(from)?;
        let start = (from.offset * from.dtype().size()) as u64;
        let copy = opened.guarded("read", || Ok(opened.copy(None, buffer, start, bytes)))?;
        Ok(Arrival { opened, copy: Some(copy) })
    }
}

impl Arriving for Arrival {
    fn ready(&mut self) -> Result<bool> {
        let opened = &self.opened;
        self.copy.as_mut().map_or(Ok(true), |copy| opened.guarded("read", || opened.arrived(copy)))
    }

    fn take(mut self: Box<Self>, to: &mut [u8]) -> Result<()> {
        let opened = &self.opened;
        self.copy.as_mut().map_or(Ok(()), |copy| opened.guarded("read", || opened.finish(copy, to)))
    }
}
