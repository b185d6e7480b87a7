package simulation_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hummingbytes/reconciler/jobs/simulation"
	"github.com/hummingbytes/reconciler/reconcile"
)

const header = "gmt_create,predict_type,predict_status,exec_time_seconds,groupId,num_images_per_prompt,num_inference_steps,checkpoint_model_version_id\n"

func TestReadTraceRow(t *testing.T) {
	at := time.Date(2024, time.November, 15, 16, 57, 50, 0, time.UTC)
	for name, c := range map[string]struct {
		line string
		want simulation.TraceRow
		cost int64
	}{
		"full": {"2024-11-15 16:57:50,IMG_2_IMG,SUCCEED,32.0,G0000,8.0,40.0,M0000",
			simulation.TraceRow{CreatedAt: at, Group: "G0000", Type: "IMG_2_IMG", Status: "SUCCEED", ExecTime: 32 * time.Second, Images: 8, Steps: 40, Model: "M0000", Line: 2}, 39},
		"empty fields": {"2024-11-15 16:57:50,,,,,,,",
			simulation.TraceRow{CreatedAt: at, Type: "TXT_2_IMG", Images: 1, Steps: 30, Line: 2}, 3},
		"fraction of a second": {"2024-11-15 16:57:50,INPAINTING,FAILED,0.0625,G1,1,1,",
			simulation.TraceRow{CreatedAt: at, Group: "G1", Type: "INPAINTING", Status: "FAILED", ExecTime: 62 * time.Millisecond, Images: 1, Steps: 1, Line: 2}, 1},
		"whole numbers": {"2024-11-15 16:57:50,TXT_2_IMG,PENDING,0,G1,2,25,",
			simulation.TraceRow{CreatedAt: at, Group: "G1", Type: "TXT_2_IMG", Status: "PENDING", Images: 2, Steps: 25, Line: 2}, 5},
	} {
		t.Run(name, func(t *testing.T) {
			rows, err := simulation.ReadTrace(strings.NewReader(header + c.line + "\n"))
			if err != nil {
				t.Fatal(err)
			}
			if len(rows) != 1 || rows[0] != c.want {
				t.Errorf("got %+v, want %+v", rows, c.want)
			}
			if got := rows[0].Cost(); got != c.cost {
				t.Errorf("costs %d credits, want %d", got, c.cost)
			}
		})
	}
}

func TestReadTraceFaults(t *testing.T) {
	good := "2024-11-15 16:57:50,TXT_2_IMG,SUCCEED,32.0,G0,1,30,M0\n"
	for name, c := range map[string]struct{ file, want string }{
		"empty file":       {"", "the file is empty"},
		"no rows":          {header, "a header and no rows"},
		"column missing":   {strings.Replace(header, "groupId", "group", 1) + good, "line 1: the header lacks groupId"},
		"column twice":     {strings.Replace(header, "predict_type", "groupId", 1) + good, "line 1, column groupId"},
		"too few fields":   {header + good + "2024-11-15 16:57:50,TXT_2_IMG\n", "line 3: 2 fields, but the header has 8"},
		"no time":          {header + ",TXT_2_IMG,SUCCEED,1,G0,1,30,M0\n", "line 2, column gmt_create: \"\": want a time"},
		"impossible time":  {header + "2024-02-30 00:00:00,TXT_2_IMG,SUCCEED,1,G0,1,30,M0\n", "line 2, column gmt_create"},
		"unknown type":     {header + "2024-11-15 16:57:50,TXT_2_GIF,SUCCEED,1,G0,1,30,M0\n", "line 2, column predict_type: \"TXT_2_GIF\""},
		"unknown status":   {header + "2024-11-15 16:57:50,TXT_2_IMG,DONE,1,G0,1,30,M0\n", "line 2, column predict_status: \"DONE\""},
		"negative time":    {header + "2024-11-15 16:57:50,TXT_2_IMG,SUCCEED,-0.5,G0,1,30,M0\n", "line 2, column exec_time_seconds"},
		"not a number":     {header + "2024-11-15 16:57:50,TXT_2_IMG,SUCCEED,NaN,G0,1,30,M0\n", "line 2, column exec_time_seconds: \"NaN\""},
		"exponent":         {header + "2024-11-15 16:57:50,TXT_2_IMG,SUCCEED,1e3,G0,1,30,M0\n", "line 2, column exec_time_seconds"},
		"a year of work":   {header + "2024-11-15 16:57:50,TXT_2_IMG,SUCCEED,31536000,G0,1,30,M0\n", "line 2, column exec_time_seconds"},
		"half an image":    {header + "2024-11-15 16:57:50,TXT_2_IMG,SUCCEED,1,G0,1.5,30,M0\n", "line 2, column num_images_per_prompt: \"1.5\""},
		"no image":         {header + "2024-11-15 16:57:50,TXT_2_IMG,SUCCEED,1,G0,0,30,M0\n", "line 2, column num_images_per_prompt"},
		"too many steps":   {header + "2024-11-15 16:57:50,TXT_2_IMG,SUCCEED,1,G0,1,9999999999999999999,M0\n", "line 2, column num_inference_steps"},
		"stray quote":      {header + good + "2024-11-15 16:57:50,\"TXT_2_IMG,SUCCEED,1,G0,1,30,M0\n", "line 3"},
		"every fault told": {header + "x,y,z,1,G0,1,30,M0\n2024-11-15 16:57:50,TXT_2_IMG,SUCCEED,1,G0,?,30,M0\n", "line 3, column num_images_per_prompt"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := simulation.ReadTrace(strings.NewReader(c.file))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

func TestReadTraceSorts(t *testing.T) {
	rows, err := simulation.ReadTrace(strings.NewReader("\ufeff" + strings.Replace(header, "gmt_create", `"gmt_create"`, 1) +
		"2024-11-16 00:00:00,TXT_2_IMG,SUCCEED,1,late,1,30,M0\n2024-11-15 00:00:00,TXT_2_IMG,SUCCEED,1,early,1,30,M0\n"))
	if err != nil {
		t.Fatal(err)
	}
	if rows[0].Group != "early" || rows[1].Group != "late" {
		t.Errorf("not in order of time: %+v", rows)
	}
}

func FuzzReadTrace(f *testing.F) {
	sample, err := os.ReadFile("testdata/trace.csv")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(sample))
	f.Add(header + "2024-11-15 16:57:50,IMG_2_IMG,SUCCEED,32.0,G0000,8.0,40.0,M0000\n")
	f.Add(header + "x,y,z,1,G0,1,30,\"M\n0\"\n")
	f.Fuzz(func(t *testing.T, file string) {
		rows, err := simulation.ReadTrace(strings.NewReader(file))
		if err != nil {
			var fault *simulation.TraceError
			if errors.As(err, &fault) && fault.Line < 1 {
				t.Errorf("error without a line: %v", err)
			}
			return
		}
		last := time.Time{}
		for _, row := range rows {
			if row.CreatedAt.Before(last) {
				t.Fatal("rows are not in order of time")
			}
			last = row.CreatedAt
			if row.Cost() < 1 || row.ExecTime < 0 {
				t.Errorf("%+v: cost %d", row, row.Cost())
			}
		}
	})
}

func readTrace(t *testing.T) []simulation.TraceRow {
	t.Helper()
	f, err := os.Open("testdata/trace.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := simulation.ReadTrace(f)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestReplay(t *testing.T) {
	s, db := play(t, simulation.Options{Seed: 1, Trace: readTrace(t), FaultsPerKind: -1})
	if got := len(s.Nights()); got != 6 {
		t.Errorf("%d nights, the trace has 6", got)
	}
	count := func(query string) (n int) {
		t.Helper()
		if err := db.Get(&n, db.Gathered(query)); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if got := count("SELECT count(*) FROM platform.jobs WHERE status = 'failed' AND failure_code IS NOT NULL AND model LIKE 'M%'"); got != 11 {
		t.Errorf("%d jobs failed, the trace has 11", got)
	}
	if got := count(`SELECT count(*) FROM platform.jobs j WHERE finished_at IS NULL
		AND NOT EXISTS (SELECT FROM platform.credit_entries e WHERE e.job_id = j.id)`); got != 3 {
		t.Errorf("%d jobs never finished and were not debited, the trace has 3", got)
	}
	var stuck int
	for _, e := range s.Expected() {
		if e.Kind != reconcile.JobStuck || e.Planted {
			t.Errorf("unexpected expectation %+v", e)
		}
		stuck++
	}
	if stuck != 3 {
		t.Errorf("%d stuck jobs are expected, the trace has 3", stuck)
	}
}
