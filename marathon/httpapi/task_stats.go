package httpapi

import (
	"slices"

	"stoa/marathon/app"
	"stoa/marathon/instance"
	"stoa/marathon/level"
	"stoa/marathon/playjson"
	"stoa/marathon/timestamp"
)

// writeStats writes the statistics of an app's tasks by version
// (core/appinfo/TaskStatsByVersion.scala). The key has an s too many, as in the original.
func (info *appInfo) writeStats(w *playjson.Writer, a *app.App, instances []*instance.Instance) {
	if w.Level.Before(level.V1_5) {
		w.Key("taskStats")
	} else {
		w.Key("tasksStats")
	}
	w.BeginObject()
	if v := a.VersionInfo; v.Full {
		info.writeStat(w, "startedAfterLastScaling", instances, func(at timestamp.Timestamp) bool { return at >= v.LastScalingAt })
		info.writeStat(w, "withLatestConfig", instances, func(at timestamp.Timestamp) bool { return at >= v.LastConfigChangeAt })
		info.writeStat(w, "withOutdatedConfig", instances, func(at timestamp.Timestamp) bool { return at < v.LastConfigChangeAt })
	}
	info.writeStat(w, "totalSummary", instances, anyVersion)
	w.EndObject()
}

func (info *appInfo) writeStat(w *playjson.Writer, key string, instances []*instance.Instance, wanted func(timestamp.Timestamp) bool) {
	counts := info.count(instances, wanted)
	if counts.total == 0 {
		return
	}
	w.Key(key)
	w.BeginObject()
	w.Key("stats")
	w.BeginObject()
	w.Key("counts")
	w.BeginObject()
	w.IntField("staged", counts.staged)
	w.IntField("running", counts.running)
	w.IntField("healthy", counts.healthy)
	w.IntField("unhealthy", counts.unhealthy)
	w.EndObject()
	if len(counts.lifetimes) > 0 {
		w.Key("lifeTime")
		w.BeginObject()
		w.DoubleField("averageSeconds", average(counts.lifetimes))
		w.DoubleField("medianSeconds", median(counts.lifetimes))
		w.EndObject()
	}
	w.EndObject()
	w.EndObject()
}

func average(values []float64) float64 {
	sum := 0.0
	for _, value := range values {
		sum += value
	}
	return sum / float64(len(values))
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}
