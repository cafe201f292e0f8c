package leveret.clients;

import java.time.Duration;
import java.util.concurrent.Callable;
import org.awaitility.Awaitility;
import org.awaitility.core.ConditionFactory;
import org.awaitility.core.ThrowingRunnable;

/** Bounded waiting. The bound is generous because it only matters when a test fails. */
public final class Eventually {
    public static final Duration BOUND = Duration.ofSeconds(20);

    private Eventually() {}

    private static ConditionFactory await(String what) {
        // Other tests run beside this one; what their threads throw is theirs to report.
        return Awaitility.await(what).dontCatchUncaughtExceptions().atMost(BOUND)
                .pollDelay(Duration.ZERO).pollInterval(Duration.ofMillis(10));
    }

    /** Waits until the condition holds. */
    public static void holds(String what, Callable<Boolean> condition) {
        await(what).until(condition);
    }

    /** Waits until the assertions pass. */
    public static void passes(String what, ThrowingRunnable assertions) {
        await(what).untilAsserted(assertions);
    }

    /** Waits until the call answers something other than null, and returns that. */
    public static <T> T yields(String what, Callable<T> call) {
        return await(what).until(call, value -> value != null);
    }
}
