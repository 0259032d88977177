package checkpoint

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"stoa/agent/core"
	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesospb"
)

type recovery struct {
	strict   bool
	rebooted bool
	errors   int
}

// tolerate counts err and forgets it when recovery is lenient.
func (r *recovery) tolerate(err error) error {
	if err == nil || r.strict {
		return err
	}
	r.errors++
	return nil
}

// Recover reads the state below layout.Work. With strict, the first damaged file is
// an error; else it is skipped and counted. A missing tree is a new agent.
func Recover(layout Layout, strict bool) (core.Saved, error) {
	r := recovery{strict: strict}
	var state core.Saved
	if err := r.readResources(layout, &state); err != nil {
		return state, fmt.Errorf("cannot recover the checkpointed resources: %w", err)
	}
	if old, err := os.ReadFile(layout.BootID()); err == nil {
		now, err := BootID()
		if err != nil {
			return state, fmt.Errorf("cannot read the kernel's boot id: %w", err)
		}
		state.Rebooted = strings.TrimSpace(string(old)) != now
		r.rebooted = state.Rebooted
	}
	target, err := filepath.EvalSymlinks(layout.LatestAgent())
	if errors.Is(err, os.ErrNotExist) {
		return state, nil
	}
	if err != nil {
		return state, fmt.Errorf("cannot find the latest agent: %w", err)
	}
	layout.Agent = filepath.Base(target)
	if err := r.readAgent(layout, &state); err != nil {
		return state, fmt.Errorf("cannot recover agent %s: %w", layout.Agent, err)
	}
	state.Errors = r.errors
	return state, nil
}

// BootID is the kernel's id of the present boot.
func BootID() (string, error) {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(id)), err
}

func (r *recovery) readAgent(l Layout, state *core.Saved) error {
	info := &mesospb.AgentInfo{}
	ok, err := ReadMessage(l.AgentInfo(), info)
	if err != nil || !ok {
		return r.tolerate(err)
	}
	state.Info = info
	drain := &mesospb.DrainConfig{}
	if ok, err := ReadMessage(l.DrainConfig(), drain); err != nil {
		// The original never refuses to start for this file.
		r.errors++
	} else if ok {
		state.Drain = drain
	}
	ids, err := subdirectories(filepath.Join(l.AgentMeta(), "frameworks"))
	if err != nil {
		return err
	}
	for _, id := range ids {
		f, err := r.readFramework(l.Framework(id))
		if err != nil {
			return fmt.Errorf("framework %s: %w", id, err)
		}
		state.Frameworks = append(state.Frameworks, f)
	}
	return nil
}

func (r *recovery) readFramework(paths Framework) (core.SavedFramework, error) {
	f := core.SavedFramework{ID: paths.ID}
	info := &mesospb.FrameworkInfo{}
	ok, err := ReadMessage(paths.Info(), info)
	if err != nil || !ok {
		return f, r.tolerate(err)
	}
	pid, err := os.ReadFile(paths.PID())
	if errors.Is(err, os.ErrNotExist) || err == nil && len(pid) == 0 {
		return f, nil
	}
	if err != nil {
		return f, r.tolerate(err)
	}
	if info.Id == nil {
		info.Id = &mesospb.FrameworkID{Value: &f.ID}
	}
	f.Info, f.PID = info, string(pid)
	ids, err := subdirectories(filepath.Join(paths.Meta(), "executors"))
	if err != nil {
		return f, err
	}
	for _, id := range ids {
		e, err := r.readExecutor(paths.Executor(id))
		if err != nil {
			return f, fmt.Errorf("executor %s: %w", id, err)
		}
		f.Executors = append(f.Executors, e)
	}
	return f, nil
}

func (r *recovery) readExecutor(paths Executor) (core.SavedExecutor, error) {
	e := core.SavedExecutor{ID: paths.ID}
	runs := filepath.Join(paths.Meta(), "runs")
	ids, err := subdirectories(runs)
	if err != nil {
		return e, err
	}
	for _, id := range ids {
		run, err := r.readRun(paths.Run(id))
		if err != nil {
			return e, fmt.Errorf("run %s: %w", id, err)
		}
		e.Runs = append(e.Runs, run)
	}
	if target, err := filepath.EvalSymlinks(filepath.Join(runs, LatestName)); err == nil {
		if name := filepath.Base(target); e.Run(name) != nil {
			e.Latest = name
		}
	} else if !errors.Is(err, os.ErrNotExist) {
		return e, err
	}
	info := &mesospb.ExecutorInfo{}
	ok, err := ReadMessage(paths.Info(), info)
	if err != nil || !ok {
		return e, r.tolerate(err)
	}
	e.Info = info
	switch text, err := os.ReadFile(paths.Generated()); {
	case errors.Is(err, os.ErrNotExist):
		// Agents before this file existed recognised the executor by its name.
		e.Generated = strings.HasSuffix(info.GetCommand().GetValue(), "mesos-executor") &&
			strings.HasPrefix(info.GetName(), "Command Executor")
	case err != nil:
		return e, err
	default:
		n, err := strconv.Atoi(strings.TrimSpace(string(text)))
		if err != nil {
			return e, r.tolerate(fmt.Errorf("%s: %w", paths.Generated(), err))
		}
		e.Generated = n != 0
	}
	return e, nil
}

func (r *recovery) readRun(paths Run) (core.SavedRun, error) {
	run := core.SavedRun{ID: paths.Container, Completed: exists(paths.Sentinel())}
	ids, err := subdirectories(filepath.Join(paths.Meta(), "tasks"))
	if err != nil {
		return run, err
	}
	for _, id := range ids {
		task, err := r.readTask(paths, id)
		if err != nil {
			return run, fmt.Errorf("task %s: %w", id, err)
		}
		run.Tasks = append(run.Tasks, task)
	}
	if r.rebooted {
		// The number may belong to another process by now.
		if err := os.Remove(paths.ForkedPID()); err != nil && !errors.Is(err, os.ErrNotExist) {
			return run, err
		}
		return run, nil
	}
	text, err := os.ReadFile(paths.ForkedPID())
	if errors.Is(err, os.ErrNotExist) || err == nil && len(text) == 0 {
		return run, nil
	}
	if err != nil {
		return run, r.tolerate(err)
	}
	if run.ForkedPID, err = strconv.Atoi(strings.TrimSpace(string(text))); err != nil {
		run.ForkedPID = 0
		return run, r.tolerate(fmt.Errorf("%s: %w", paths.ForkedPID(), err))
	}
	text, err = os.ReadFile(paths.LibprocessPID())
	switch {
	case err == nil:
		run.LibprocessPID = string(text)
	case errors.Is(err, os.ErrNotExist):
		run.HTTP = exists(paths.HTTPMarker())
	default:
		return run, r.tolerate(err)
	}
	return run, nil
}

func (r *recovery) readTask(paths Run, id string) (core.SavedTask, error) {
	task := core.SavedTask{ID: id, Acks: map[string]bool{}}
	info := &mesospb.Task{}
	ok, err := ReadMessage(paths.TaskInfo(id), info)
	if err != nil || !ok {
		return task, r.tolerate(err)
	}
	task.Info = info
	err = readLog(paths.TaskUpdates(id), func() proto.Message { return &internalpb.StatusUpdateRecord{} },
		func(m proto.Message) {
			record := m.(*internalpb.StatusUpdateRecord)
			if record.GetType() == internalpb.StatusUpdateRecord_UPDATE {
				if record.Update != nil {
					task.Updates = append(task.Updates, record.Update)
				}
			} else {
				task.Acks[string(record.Uuid)] = true
			}
		})
	if errors.Is(err, os.ErrNotExist) {
		return task, nil
	}
	return task, r.tolerate(err)
}

// readResources prefers the file with operations over the one of old agents.
func (r *recovery) readResources(l Layout, state *core.Saved) error {
	content, err := os.ReadFile(l.ResourceState())
	if err == nil && len(content) > 0 {
		var rs resourceState
		if err := rs.readFile(content); err != nil {
			return r.tolerate(fmt.Errorf("%s: %w", l.ResourceState(), err))
		}
		state.Resources, state.Operations = rs.resources, rs.operations
		return nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return r.tolerate(err)
	}
	content, err = os.ReadFile(l.ResourcesInfo())
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return r.tolerate(err)
	}
	_, err = Records(content, func() proto.Message { return &mesospb.Resource{} },
		func(m proto.Message) { state.Resources = append(state.Resources, m.(*mesospb.Resource)) })
	return r.tolerate(err)
}

// WriteResources checkpoints the reservations, volumes and pending operations,
// in both files that the original keeps. old are the same resources in the format
// before reservation refinement.
func WriteResources(l Layout, resources, old []*mesospb.Resource, operations []*mesospb.Operation) error {
	rs := resourceState{resources: resources, operations: operations}
	content, err := rs.file()
	if err != nil {
		return err
	}
	if err := WriteFile(l.ResourceState(), content, Machine); err != nil {
		return err
	}
	var info bytes.Buffer
	for _, resource := range old {
		record, err := AppendRecord(nil, resource)
		if err != nil {
			return err
		}
		info.Write(record)
	}
	return WriteFile(l.ResourcesInfo(), info.Bytes(), Machine)
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// subdirectories lists the names of the directories in dir, links left out. A
// missing dir has none.
func subdirectories(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var names []string
	for _, entry := range entries {
		if entry.IsDir() {
			names = append(names, entry.Name())
		}
	}
	return names, nil
}
