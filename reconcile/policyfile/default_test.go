package policyfile

import (
	"strings"
	"testing"

	"github.com/hummingbytes/reconciler/reconcile"
)

func defaultTable(t *testing.T) reconcile.FailureTable {
	t.Helper()
	policies, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	return policies.Versions()[0].Failures
}

// A pattern that an earlier one always pre-empts would only pretend to say something.
func TestDefaultHasNoDeadPatterns(t *testing.T) {
	var patterns []string
	owner := make(map[string]string)
	for _, rule := range defaultTable(t).Rules() {
		for _, pattern := range rule.Patterns {
			patterns = append(patterns, pattern)
			owner[pattern] = rule.Name
		}
	}
	// A table of the patterns alone: codes come first and would hide what the patterns do.
	var rules []reconcile.FailureRule
	for _, rule := range defaultTable(t).Rules() {
		rule.Codes = []string{"no such code in " + rule.Name}
		rules = append(rules, rule)
	}
	table, err := reconcile.NewFailureTable(rules)
	if err != nil {
		t.Fatal(err)
	}
	for _, pattern := range patterns {
		if got := table.Classify(reconcile.JobFailed, inContext(pattern)); got.Match != pattern {
			t.Errorf("pattern %q of rule %q never fits: %q of rule %q comes first", pattern, owner[pattern], got.Match, got.Rule)
		}
	}
}

// inContext puts a pattern of words into the middle of a message, where patterns that ask for the beginning can't fit.
func inContext(pattern string) string {
	if prefix, ok := strings.CutSuffix(pattern, "*"); ok {
		return prefix
	}
	return "zyx: " + pattern + " (zyx)"
}

// What fleets report, in the spellings in which they do.
func TestDefaultClassifies(t *testing.T) {
	tests := map[reconcile.FailureClass][]string{
		reconcile.FailureSystem: {
			// Slurm
			"NODE_FAIL", "NodeFail", "node-fail", "node fail", "nodefail", "JOB_NODE_FAIL", "BOOT_FAIL", "OUT_OF_MEMORY", "TIMEOUT", "PREEMPTED",
			"DEADLINE", "LAUNCH_FAILED", "NF", "BF", "OOM", "PR", "TO", "DL", "JobLaunchFailure", "(launch failed requeued held)", "ReqNodeNotAvail, UnavailableNodes:gpu[3-7]",
			"slurmstepd: error: *** JOB 12 ON gpu3 CANCELLED AT 2026-01-02T03:04:05 DUE TO NODE FAILURE ***",
			"slurmstepd: error: *** JOB 12 ON gpu3 CANCELLED AT 2026-01-02T03:04:05 DUE TO TIME LIMIT ***",
			"slurmstepd: error: *** JOB 12 ON gpu3 CANCELLED AT 2026-01-02T03:04:05 DUE TO PREEMPTION ***",
			"slurmstepd: error: Detected 1 oom_kill event in StepId=12.batch", "CANCELLED by 0", "cancelled by administrator", "AssocGrpGRES", "QOSMaxWallDurationPerJobLimit",
			// Kubernetes and containers
			"OOMKilled", "oom_killed", "Evicted", "NodeLost", "NodeShutdown", "ImagePullBackOff", "ErrImagePull", "Back-off pulling image: ImagePullBackOff", "CrashLoopBackOff",
			"ContainerCannotRun", "DeadlineExceeded", "Preempting", "137", "139", "143", "exit code 137", "ExitCode:139", "exited with exit code 143", "exit_code_137", "Exit Code: 137 (OOMKilled)",
			"ContainerStatusUnknown", "CreateContainerConfigError", "Error: CreateContainerConfigError: secret \"registry\" not found", "InvalidImageName", "OutOfnvidia.com/gpu", "UnexpectedAdmissionError",
			"BackoffLimitExceeded", "FailedScheduling: 0/9 nodes are available: 9 Insufficient nvidia.com/gpu.", "pods \"x\" is forbidden: exceeded quota: compute-resources", "node.kubernetes.io/disk-pressure",
			// GPUs
			"XID 79", "Xid79", "xid_13", "XID-31", "xid 43", "Xid 45", "Xid 48", "XID_62", "XID_63", "xid64", "Xid 74", "xid 92", "Xid 94", "XID:95", "Xid 119", "XID 120", "xid 999", "GPU_XID_79", "NvidiaXid79", "NvidiaXidError",
			"NVRM: Xid (PCI:0000:3b:00): 79, pid=1234, GPU has fallen off the bus.", "GPU has fallen off the bus", "GPU_FELL_OFF_THE_BUS", "ECC_ERROR", "uncorrectable ECC error encountered", "DoubleBitEcc",
			"NVLINK_ERROR", "NVLink: fatal error detected", "NVML_ERROR_GPU_IS_LOST", "DRIVER_ERROR", "Failed to initialize NVML: Driver/library version mismatch", "gpu_invalid_data_packet",
			// CUDA and friends
			"CUDA_ERROR_OUT_OF_MEMORY", "cudaErrorIllegalAddress", "cudaErrorInvalidValue", "cudaErrorInvalidConfiguration", "CUDA error: invalid configuration argument", "CUBLAS_STATUS_INVALID_VALUE",
			"CUBLAS_STATUS_NOT_INITIALIZED", "CUDNN_STATUS_BAD_PARAM", "CUDNN_STATUS_EXECUTION_FAILED", "CUDA out of memory. Tried to allocate 2.00 GiB", "cuda_out_of_memory", "torch.cuda.OutOfMemoryError", "torch.OutOfMemoryError",
			"RuntimeError: CUDA error: an illegal memory access was encountered", "device-side assert triggered", "hipErrorOutOfMemory", "ncclSystemError", "ncclUnhandledCudaError", "ncclInvalidArgument", "NCCL_TIMEOUT",
			"[Rank 3] Watchdog caught collective operation timeout: WorkNCCL(SeqNum=5, OpType=ALLREDUCE) ran for 600000 milliseconds", "torch.distributed.elastic.multiprocessing.errors.ChildFailedError",
			// network
			"ECONNRESET", "ETIMEDOUT", "read ECONNRESET", "getaddrinfo EAI_AGAIN models.internal", "DNS_ERROR", "TLS_ERROR", "tls: failed to verify certificate", "certificate validation failed", "502", "503", "504", "HTTP 503", "502 Bad Gateway",
			"http_504", "status code 502", "ConnectionResetError", "requests.exceptions.ConnectionError: Max retries exceeded", "UNAVAILABLE", "Connection refused",
			// storage
			"ENOSPC", "EIO", "[Errno 28] No space left on device", "SlowDown", "S3 SlowDown", "read-only file system", "EROFS", "CHECKSUM_MISMATCH", "checksum validation failed", "disk quota exceeded", "CHECKPOINT_SAVE_FAILED",
			// memory, time
			"HOST_OOM", "GPU_OOM", "exit 137", "container exited (137)", "signal: killed", "node is not responding", "zone_outage", "runner_failed", "read: connection reset by peer", "driver_failure", "response validation error", "host out of memory", "std::bad_alloc", "Cannot allocate memory", "MemoryError", "prompt timeout", "PROMPT_ENCODER_TIMEOUT", "moderation_timeout", "ModerationServiceUnavailable: 503 service unavailable",
			"nsfw_classifier_oom", "job timed out", "INFERENCE_TIMEOUT", "SPOT_INTERRUPTION", "spot instance reclaimed", "preempted by scheduler",
			// our own software
			"INTERNAL_ERROR", "InternalError", "internal server error", "500", "RuntimeError", "runtime_error", "AssertionError", "KeyError", "KeyError: 'unet'", "ValueError", "TypeError: 'NoneType' object is not subscriptable", "ModuleNotFoundError",
			"segfault", "Segmentation fault (core dumped)", "SIGSEGV", "diffusers.utils.BaseOutputError", "transformers.modeling_utils.LoadError", "torch._dynamo.exc.BackendCompilerFailed", "Traceback (most recent call last):", "unhandled exception",
			"panic: runtime error: index out of range", "MODEL_LOAD_FAILED", "WORKER_CRASHED", "invalid_data_node_failure", "InvalidDatabaseState", "safety checker crashed", "SYSTEM_ERROR", "GPU_FAILURE", "gpu_error", "infrastructure_failure", "JSONDecodeError",
		},
		reconcile.FailureUser: {
			"INVALID_DATA", "InvalidData", "invalid-data", "invalid dataset", "DATASET_INVALID", "CORRUPT_IMAGE", "corrupted_image", "training failed: corrupt image 0012.png", "dataset_corrupted", "images_too_small", "zip corrupt", "training_data_invalid", "UnidentifiedImageError", "PIL.UnidentifiedImageError: cannot identify image file 'a.png'",
			"UNSUPPORTED_IMAGE_FORMAT", "unsupported image", "TOO_FEW_IMAGES", "too few images: 3 of at least 10", "ValueError: too few images", "DATASET_VALIDATION_FAILED", "dataset validation error", "validation_error", "NSFW", "nsfw_content", "nsfw_detected",
			"NSFW_CONTENT_DETECTED", "Potential NSFW content was detected in one or more images", "MODERATION_BLOCKED", "moderation-rejected", "content_moderation", "safety_violation", "SAFETY_FILTER", "SafetyCheckerTriggered", "content_flagged", "prompt unsafe", "hyperparameters_invalid", "resolution_unsupported", "client_aborted", "JobCancelledError", "prompt_rejected", "prompt rejected by the system", "PromptRejected", "non-compliant prompt",
			"non_compliant_prompt", "content_policy_violation", "Your request was blocked by safety filters", "COPYRIGHT", "copyright_violation", "copyrighted material", "BAD_CONFIG", "bad_configuration", "InvalidConfiguration", "invalid config: steps", "INVALID_HYPERPARAMETERS",
			"invalid learning rate", "UNSUPPORTED_RESOLUTION", "resolution too large", "MISSING_CAPTIONS", "missing caption for image 7", "QUOTA_EXCEEDED", "insufficient_credits", "Insufficient credits for this job", "CANCELLED", "canceled", "CANCELLED by 1001", "cancelled_by_user",
			"UserCancelled", "user_abort", "aborted by user", "job canceled by the user after 00:10:00", "USER_ERROR", "user-error", "INVALID_PROMPT", "prompt too long", "image too small", "USER_OUT_OF_MEMORY", "payment_required", "INVALID_INPUT", "bad hyperparameters",
		},
		reconcile.FailureUnknown: {
			"", " ", "\t\n", "---", "FAILED", "Error", "unknown", "unknown error", "exit code 1", "NonZeroExitCode", "1", "oxide", "IRON_OXIDE", "peroxide 79", "exit code 1370", "5020", "http 5031", "woman", "bloom", "zoom", "classroom", "room full", "E_1234",
			"rate limited", "recce", "specced", "ssh", "tlsx", "dnsmasqued", "changing", "orchestra", "gibberish", "moderation error", "nsfw classifier", "rate_limit", "permission denied", "401", "not_found", "checkpoint not found", "no output", "loss is NaN", "taxid 79", "eccentric", "ECCN violation", "aborted", "interrupted", "blocked", "nothing",
		},
	}
	table := defaultTable(t)
	for class, codes := range tests {
		for _, code := range codes {
			got := table.Classify(reconcile.JobFailed, code)
			if got.Class != class {
				t.Errorf("%q is %s by %s (%s), want %s", code, got.Class, got.Rule, got.Match, class)
			}
			if got.Clause != class.Clause() || got.Reason == "" || got.Rule == "" {
				t.Errorf("%q: incomplete classification %+v", code, got)
			}
			if interrupted := table.Classify(reconcile.JobInterrupted, code); interrupted != got {
				t.Errorf("%q: interrupted is %+v, failed %+v", code, interrupted, got)
			}
			if canceled := table.Classify(reconcile.JobCanceled, code); canceled.Class != reconcile.FailureUser {
				t.Errorf("%q: canceled is %s", code, canceled.Class)
			}
		}
	}
}

// What the rules themselves name as ours or as the user's is no open question.
func TestBugTheRulesOwnWordsWereUnknown(t *testing.T) {
	table := defaultTable(t)
	for class, codes := range map[reconcile.FailureClass][]string{
		reconcile.FailureSystem: {
			"node_loss", "loss of node", "gpu_fault", "driver_fault", "network_fault", "storage_fault", "disk fault", "host_loss", "worker_loss", "out_of_memory", "time-out", "time_out", "preemption",
			"internal_error", "exception", "system_error", "infrastructure_issue", "InfrastructureFault", "network lost while uploading", "GPU driver fault", "worker_failed", "PLATFORM_FAILURE", "pod_failure",
		},
		reconcile.FailureUser: {
			"invalid_data", "rejected_prompt", "prompt_invalid", "bad_configuration", "misconfiguration", "cancelled_by_user", "non-compliant prompts", "data_corrupt", "worker failed: too few images",
		},
	} {
		for _, code := range codes {
			if got := table.Classify(reconcile.JobFailed, code); got.Class != class {
				t.Errorf("%q is %s by %s (%s), want %s", code, got.Class, got.Rule, got.Match, class)
			}
		}
	}
}

// A pattern must fit its words however they are put together.
func TestDefaultPatternsFitInEverySpelling(t *testing.T) {
	table := defaultTable(t)
	for _, rule := range table.Rules() {
		for _, pattern := range rule.Patterns {
			if strings.HasSuffix(pattern, "*") {
				continue
			}
			words := strings.Fields("zyx " + pattern + " zyx")
			want := table.Classify(reconcile.JobFailed, strings.Join(words, " "))
			var camel string
			for _, word := range words {
				camel += strings.ToUpper(word[:1]) + word[1:]
			}
			for _, code := range []string{strings.ToUpper(strings.Join(words, "_")), strings.Join(words, "-"), strings.Join(words, ": "), camel} {
				if got := table.Classify(reconcile.JobFailed, code); got != want {
					t.Errorf("%q is %s (%s), but %q is %s (%s)", words, want.Rule, want.Match, code, got.Rule, got.Match)
				}
			}
		}
	}
}
