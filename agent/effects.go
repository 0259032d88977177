package agent

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"google.golang.org/protobuf/proto"

	"stoa/agent/checkpoint"
	"stoa/agent/core"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"
)

// do carries out one effect. Checkpoints are on disk when it returns; what may take
// long goes on in the background and comes back as an event. An error ends the
// agent: nothing may be acknowledged that could not be written down.
func (a *Agent) do(ctx context.Context, effect core.Effect) error {
	switch e := effect.(type) {
	case core.Send:
		a.peer.Send(e.To, e.Body)
	case core.LinkMaster:
		a.peer.Link(e.UPID)
	case core.Detect:
		a.detect(ctx)
	case core.SendEvent:
		a.executors.Send(e.Stream, e.Event)
	case core.CloseStream:
		a.executors.Close(e.Stream)
	case core.Accept:
		a.executors.Accept(e.Call, e.Stream)
	case core.Reply:
		a.executors.Reply(e.Call, e.Status, e.Body)
	case core.PrepareSandbox:
		a.working.Go(func() { a.post(a.prepareSandbox(ctx, e)) })
	case core.Launch:
		a.containers.launch(e)
	case core.RecoverContainers:
		a.recoverContainers(e)
	case core.UpdateContainer:
		a.containers.update(e)
	case core.QueryStatus:
		a.containers.status(e.Run)
	case core.Destroy:
		a.containers.destroy(e.Run, func(err error) { a.logger.Error("Failed to destroy a container", "error", err) })
	case core.Attach:
		a.attach(e.Run)
	case core.Collect:
		a.collect(e)
	case core.CollectOldAgents:
		a.collectOldAgents()
	case core.Log:
		a.logger.Log(ctx, e.Level, e.Message, e.Args...)
	case core.Exit:
		return exit{e.Error}
	default:
		return a.save(effect)
	}
	return nil
}

// save carries out the effects that keep state.
func (a *Agent) save(effect core.Effect) error {
	switch e := effect.(type) {
	case core.SaveAgent:
		return a.saveAgent(e)
	case core.SaveBootID:
		id, err := checkpoint.BootID()
		if err != nil {
			a.logger.Error("Could not retrieve boot id", "error", err)
			return nil
		}
		return checkpoint.WriteFile(a.layout.BootID(), []byte(id), checkpoint.Machine)
	case core.SaveFramework:
		paths := a.layout.Framework(e.Info.GetId().GetValue())
		if err := checkpoint.WriteMessage(paths.Info(), e.Info, checkpoint.Process); err != nil {
			return err
		}
		return checkpoint.WriteFile(paths.PID(), []byte(e.PID), checkpoint.Process)
	case core.SaveExecutor:
		paths := a.run(e.Run)
		if err := checkpoint.WriteMessage(paths.Executor.Info(), downgraded(e.Info), checkpoint.Process); err != nil {
			return err
		}
		generated := "0"
		if e.Generated {
			generated = "1"
		}
		if err := checkpoint.WriteFile(paths.Generated(), []byte(generated), checkpoint.Process); err != nil {
			return err
		}
		return checkpoint.MakeRunMeta(paths)
	case core.SaveTask:
		return checkpoint.WriteMessage(a.run(e.Run).TaskInfo(e.Task.GetTaskId().GetValue()), downgraded(e.Task), checkpoint.Process)
	case core.SaveUpdate:
		log := a.logs[e.Task]
		if log == nil {
			var err error
			if log, err = checkpoint.OpenLog(a.run(e.Task.RunID).TaskUpdates(e.Task.Task)); err != nil {
				return err
			}
			a.logs[e.Task] = log
		}
		return log.Append(e.Record)
	case core.CloseUpdates:
		if log := a.logs[e.Task]; log != nil {
			delete(a.logs, e.Task)
			return log.Close()
		}
	case core.SaveExecutorPID:
		if e.PID != "" {
			return checkpoint.WriteFile(a.run(e.Run).LibprocessPID(), []byte(e.PID), checkpoint.Process)
		}
		return checkpoint.Touch(a.run(e.Run).HTTPMarker())
	case core.SaveCompleted:
		return checkpoint.Touch(a.run(e.Run).Sentinel())
	case core.SaveDrain:
		if e.Config == nil {
			return removeFile(a.layout.DrainConfig())
		}
		return checkpoint.WriteMessage(a.layout.DrainConfig(), e.Config, checkpoint.Machine)
	case core.SaveResources:
		return a.saveResources(e)
	case core.SaveOperationUpdate:
		path := a.layout.OperationUpdates(e.UUID)
		if e.Record == nil {
			return os.RemoveAll(filepath.Dir(path))
		}
		log, err := checkpoint.OpenLog(path)
		if err != nil {
			return err
		}
		defer log.Close()
		return log.Append(e.Record)
	}
	return nil
}

func removeFile(path string) error {
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return err
	}
	return nil
}

// downgraded is a copy with resources in the format that checkpoints have, unless
// one of them has stacked reservations.
func downgraded[M proto.Message](m M) M {
	old := proto.Clone(m).(M)
	if resources.DowngradeAll(old) != nil {
		return m
	}
	return old
}

func (a *Agent) saveAgent(e core.SaveAgent) error {
	// Other goroutines make paths; they only ever see this one id.
	if id := e.Info.GetId().GetValue(); a.layout.Agent != id {
		a.layout.Agent = id
	}
	if err := checkpoint.WriteMessage(a.layout.AgentInfo(), downgraded(e.Info), checkpoint.Machine); err != nil {
		return err
	}
	return checkpoint.PointLatest(a.layout.LatestAgent(), a.layout.AgentMeta())
}

// saveResources makes the directories of new volumes before and removes those of destroyed
// ones after the change is on disk, so that a crash in between loses no volume that is still listed.
func (a *Agent) saveResources(e core.SaveResources) error {
	for _, volume := range e.Created {
		if path := a.volumePath(volume); path != "" {
			if err := os.MkdirAll(path, 0o755); err != nil {
				return err
			}
		}
	}
	old := make([]*mesospb.Resource, len(e.Resources))
	for i, r := range e.Resources {
		old[i] = downgraded(r)
	}
	if err := checkpoint.WriteResources(a.layout, e.Resources, old, e.Operations); err != nil {
		return err
	}
	for _, volume := range e.Removed {
		if path := a.volumePath(volume); path != "" {
			if err := os.RemoveAll(path); err != nil {
				a.logger.Error("Failed to remove persistent volume", "path", path, "error", err)
			}
		}
	}
	return nil
}

// volumePath is the directory of a persistent volume on the work directory's disk or a
// PATH disk; empty for others.
func (a *Agent) volumePath(volume *mesospb.Resource) string {
	var role string
	for r := range resources.New(volume).All() {
		role = r.ReservationRole()
	}
	id := volume.GetDisk().GetPersistence().GetId()
	switch source := volume.GetDisk().GetSource(); {
	case source == nil:
		return a.layout.Volume(role, id)
	case source.GetType() == mesospb.Resource_DiskInfo_Source_PATH && source.GetPath().GetRoot() != "":
		root := source.GetPath().GetRoot()
		if !filepath.IsAbs(root) {
			root = filepath.Join(a.config.WorkDir, root)
		}
		return filepath.Join(root, "volumes", "roles", role, id)
	}
	return ""
}

// detect starts the search for the master, or starts it anew.
func (a *Agent) detect(ctx context.Context) {
	if !a.detecting {
		a.detecting = true
		a.working.Go(func() { a.peer.Watch(ctx, a.config.Detector, a.again) })
		return
	}
	select {
	case a.again <- struct{}{}:
	default:
	}
}

// prepareSandbox takes the executor's directories back from gc and makes a new sandbox.
func (a *Agent) prepareSandbox(ctx context.Context, e core.PrepareSandbox) core.SandboxReady {
	ready := core.SandboxReady{Run: e.Run}
	run := a.run(e.Run)
	for _, path := range []string{
		run.Framework.Work(), run.Framework.Meta(), run.Executor.Work(), run.Executor.Meta(),
	} {
		if _, err := a.gc.Unschedule(ctx, path); err != nil {
			ready.GC = true
			return ready
		}
	}
	if err := checkpoint.MakeSandbox(run, e.User); err != nil {
		ready.Error = err.Error()
	}
	return ready
}

func (a *Agent) recoverContainers(e core.RecoverContainers) {
	var runs []core.RunID
	for _, known := range e.Known {
		runs = append(runs, core.RunID{
			Framework: known.Spec.Framework.GetId().GetValue(),
			Executor:  known.Spec.Executor.GetExecutorId().GetValue(),
			Container: known.Spec.ID.GetValue(),
		})
	}
	a.containers.recover(e, runs, func(err error) {
		select {
		case a.failed <- err:
		default:
		}
	})
}

func (a *Agent) attach(id core.RunID) {
	run := a.run(id)
	for _, virtual := range []string{run.LatestRun(), run.VirtualRun(), run.Sandbox()} {
		if err := a.files.AttachFor(run.Sandbox(), virtual, a.sandboxReaders(id)); err != nil {
			a.logger.Error("Failed to attach sandbox", "path", run.Sandbox(), "error", err)
		}
	}
}

// collect schedules directories for removal, counted from when they last changed.
func (a *Agent) collect(e core.Collect) {
	run := a.run(e.Task.RunID)
	type directory struct {
		path    string
		removed func()
	}
	var list []directory
	add := func(wanted bool, path string, removed func()) {
		if wanted {
			list = append(list, directory{path, removed})
		}
	}
	switch e.Scope {
	case core.ScopeRun:
		add(e.Work, run.Sandbox(), func() { a.files.Detach(run.Sandbox()) })
		add(e.Meta, run.Meta(), nil)
	case core.ScopeExecutor:
		add(e.Work, run.Executor.Work(), func() {
			a.files.Detach(run.LatestRun())
			a.files.Detach(run.VirtualRun())
		})
		add(e.Meta, run.Executor.Meta(), nil)
	case core.ScopeFramework:
		add(e.Work, run.Framework.Work(), nil)
		add(e.Meta, run.Framework.Meta(), nil)
	case core.ScopeTask:
		add(e.Meta, run.TaskDir(e.Task.Task), nil)
	}
	now := time.Now()
	for _, d := range list {
		changed := now
		if info, err := os.Stat(d.path); err == nil {
			changed = info.ModTime()
		} else if os.IsNotExist(err) {
			continue
		}
		if a.ready.Load() {
			// It ended just now; after a restart the time of its end counts.
			_ = os.Chtimes(d.path, now, now)
			changed = now
		}
		a.gc.Schedule(d.path, changed.Add(a.config.GCDelay), d.removed)
	}
}

// collectOldAgents schedules what agents of other ids left in this work directory.
func (a *Agent) collectOldAgents() {
	entries, err := os.ReadDir(a.layout.AgentsDir())
	if err != nil {
		return
	}
	for _, entry := range entries {
		if !entry.IsDir() || entry.Name() == a.layout.Agent {
			continue
		}
		old := checkpoint.Layout{Work: a.layout.Work, Agent: entry.Name()}
		for _, path := range []string{old.AgentWork(), old.AgentMeta()} {
			a.gc.Schedule(path, time.Now().Add(a.config.GCDelay), nil)
		}
	}
}
