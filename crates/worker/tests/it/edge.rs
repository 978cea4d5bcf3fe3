//! The doors: probes, WorkerService, administration.
