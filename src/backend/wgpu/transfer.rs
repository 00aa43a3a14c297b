//! Bytes to and from the device. wgpu moves whole words at multiples of 4; views of bytes start and end anywhere.

use super::opened::{Opened, State, count_map, count_write};
use crate::Result;
use crate::device::View;
use std::sync::mpsc;

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
                let mut word = self.word(state, buffer, high - 4)?;
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
        let low = start / 4 * 4;
        let size = (start + to.len() as u64).next_multiple_of(4) - low;
        let staging = match state.staging.take() {
            Some(staging) if staging.size() >= size => staging,
            _ => self.buffer(size.next_power_of_two(), wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST),
        };
        let mut encoder = self.device.create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(buffer, low, &staging, 0, size);
        self.queue.submit([encoder.finish()]);

        let (done, mapped) = mpsc::channel();
        count_map();
        staging.map_async(wgpu::MapMode::Read, 0..size, move |result| {
            let _ = done.send(result);
        });
        let failed =
            |what: String| self.error(format!("a read of {} bytes failed: {what}", to.len()), "Open the device again, or use another.");
        self.device.poll(wgpu::PollType::wait_indefinitely()).map_err(|e| failed(e.to_string()))?;
        // Another thread that waits at the same time may be about to call back.
        match mapped.recv() {
            Ok(Ok(())) => {}
            Ok(Err(e)) => return Err(failed(e.to_string())),
            Err(e) => return Err(failed(e.to_string())),
        }
        let bytes = staging.get_mapped_range(0..size).map_err(|e| failed(e.to_string()))?;
        to.copy_from_slice(&bytes[(start - low) as usize..][..to.len()]);
        drop(bytes);
        staging.unmap();
        state.staging = Some(staging);
        Ok(())
    }
}
