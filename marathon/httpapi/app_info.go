package httpapi

import (
	"strings"
	"time"

	"stoa/internal/mesos/mesospb"
	"stoa/marathon/app"
	"stoa/marathon/id"
	"stoa/marathon/instance"
	"stoa/marathon/level"
	"stoa/marathon/playjson"
	"stoa/marathon/timestamp"
)

// embed chooses what is shown of an app beside its definition.
type embed uint8

const (
	embedTasks embed = 1 << iota
	embedFailure
	embedDeployments
	embedReadiness
	embedCounts
	embedStats
)

// appEmbeds reads embed parameters (api/v2/InfoEmbedResolver.scala); unknown ones mean nothing.
func appEmbeds(values []string) embed {
	var all embed
	for _, value := range values {
		for _, prefix := range [...]string{"group.apps.", "apps.", "app."} {
			if rest, ok := strings.CutPrefix(value, prefix); ok {
				value = rest
				break
			}
		}
		switch value {
		case "tasks":
			all |= embedTasks | embedDeployments
		case "failures":
			all |= embedTasks | embedFailure | embedDeployments
		case "lastTaskFailure":
			all |= embedFailure
		case "deployments":
			all |= embedDeployments
		case "readiness":
			all |= embedReadiness
		case "counts":
			all |= embedCounts
		case "taskStats":
			all |= embedStats
		}
	}
	return all
}

// appInfo writes apps with what is embedded, all from one snapshot.
type appInfo struct {
	view        *View
	embeds      embed
	now         time.Time
	deployments map[id.Path][]string
	readiness   map[id.Path][]ReadinessResult
}

func (s *server) newAppInfo(embeds embed) *appInfo {
	info := &appInfo{view: s.Backend.Snapshot(), embeds: embeds, now: s.Now()}
	info.deployments = map[id.Path][]string{}
	info.readiness = map[id.Path][]ReadinessResult{}
	for i := range info.view.Deployments {
		deployment := &info.view.Deployments[i]
		for _, appID := range deployment.affected() {
			info.deployments[appID] = append(info.deployments[appID], deployment.ID)
		}
		for appID, results := range deployment.Readiness {
			info.readiness[appID] = append(info.readiness[appID], results...)
		}
	}
	return info
}

// write writes one app (AppInfo of app.raml).
func (info *appInfo) write(w *playjson.Writer, a *app.App) {
	w.BeginObject()
	a.WriteFields(w)
	instances := info.view.Instances[a.ID]
	if info.embeds&embedCounts != 0 {
		info.count(instances, anyVersion).write(w)
	}
	if info.embeds&embedDeployments != 0 {
		w.Key("deployments")
		writeIDs(w, info.deployments[a.ID])
	}
	if info.embeds&embedReadiness != 0 {
		w.Key("readinessCheckResults")
		writeReadiness(w, info.readiness[a.ID])
	}
	if info.embeds&embedTasks != 0 {
		w.Key("tasks")
		w.BeginArray()
		for _, i := range instances {
			writeTask(w, info.view, i, nil)
		}
		w.EndArray()
	}
	if failure := info.view.Failures[a.ID]; failure != nil && info.embeds&embedFailure != 0 {
		w.Key("lastTaskFailure")
		failure.write(w)
	} else if info.embeds&embedFailure != 0 && w.Level.Before(level.V0_11) {
		nullString(w, "lastTaskFailure", "")
	}
	if info.embeds&embedStats != 0 {
		info.writeStats(w, a, instances)
	}
	w.EndObject()
}

func writeIDs(w *playjson.Writer, ids []string) {
	w.BeginArray()
	for _, one := range ids {
		w.BeginObject()
		w.StringField("id", one)
		w.EndObject()
	}
	w.EndArray()
}

func writeReadiness(w *playjson.Writer, results []ReadinessResult) {
	w.BeginArray()
	for i := range results {
		result := &results[i]
		w.BeginObject()
		w.StringField("name", result.Name)
		w.StringField("taskId", result.TaskID)
		w.BoolField("ready", result.Ready)
		if response := result.LastResponse; response != nil {
			w.Key("lastResponse")
			w.BeginObject()
			w.IntField("status", response.Status)
			w.StringField("contentType", response.ContentType)
			w.StringField("body", response.Body)
			w.EndObject()
		}
		w.EndObject()
	}
	w.EndArray()
}

func (f *TaskFailure) write(w *playjson.Writer) {
	w.BeginObject()
	w.StringField("appId", f.AppID.String())
	w.StringField("host", f.Host)
	w.StringField("message", f.Message)
	w.StringField("state", f.State)
	w.StringField("taskId", f.TaskID)
	w.TimeField("timestamp", f.Timestamp)
	w.TimeField("version", f.Version)
	w.OptionalString("slaveId", f.AgentID)
	w.EndObject()
}

// taskCounts says how many instances are in which state (core/appinfo/TaskCounts.scala).
type taskCounts struct {
	staged, running, healthy, unhealthy int
	// lifetimes are those of the instances that have run, in seconds; only for statistics.
	lifetimes []float64
	total     int
}

func (t taskCounts) write(w *playjson.Writer) {
	w.IntField("tasksStaged", t.staged)
	w.IntField("tasksRunning", t.running)
	w.IntField("tasksHealthy", t.healthy)
	w.IntField("tasksUnhealthy", t.unhealthy)
}

func anyVersion(timestamp.Timestamp) bool { return true }

// count looks at the instances of some versions that have been launched.
func (info *appInfo) count(instances []*instance.Instance, wanted func(timestamp.Timestamp) bool) taskCounts {
	var counts taskCounts
	for _, i := range instances {
		task := i.Task()
		if task == nil || i.Scheduled() || !wanted(i.Version) {
			continue
		}
		counts.total++
		switch {
		case task.Status == nil, task.Status.GetState() == mesospb.TaskState_TASK_STAGING:
			counts.staged++
		case task.Status.GetState() == mesospb.TaskState_TASK_RUNNING:
			counts.running++
		}
		if results := info.view.Health[i.ID]; len(results) > 0 {
			if allAlive(results) {
				counts.healthy++
			} else {
				counts.unhealthy++
			}
		}
		if info.embeds&embedStats != 0 && !task.StartedAt.IsZero() {
			// Both in whole milliseconds, like the original's clock.
			lived := timestamp.Of(info.now) - timestamp.Of(task.StartedAt)
			counts.lifetimes = append(counts.lifetimes, float64(lived)/1000)
		}
	}
	return counts
}

func allAlive(results []Health) bool {
	for _, result := range results {
		if !result.Alive() {
			return false
		}
	}
	return true
}
