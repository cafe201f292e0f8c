package leveret.clients.spring;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.springframework.amqp.core.Message;
import org.springframework.amqp.core.Queue;
import org.springframework.amqp.rabbit.annotation.EnableRabbit;
import org.springframework.amqp.rabbit.annotation.Exchange;
import org.springframework.amqp.rabbit.annotation.QueueBinding;
import org.springframework.amqp.rabbit.annotation.RabbitListener;
import org.springframework.amqp.rabbit.batch.SimpleBatchingStrategy;
import org.springframework.amqp.rabbit.config.DirectRabbitListenerContainerFactory;
import org.springframework.amqp.rabbit.config.SimpleRabbitListenerContainerFactory;
import org.springframework.amqp.rabbit.connection.CachingConnectionFactory;
import org.springframework.amqp.rabbit.core.BatchingRabbitTemplate;
import org.springframework.amqp.rabbit.core.RabbitAdmin;
import org.springframework.amqp.rabbit.listener.RabbitListenerEndpointRegistry;
import org.springframework.amqp.support.AmqpHeaders;
import org.springframework.amqp.support.converter.JacksonJsonMessageConverter;
import org.springframework.context.annotation.AnnotationConfigApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.messaging.handler.annotation.Header;
import org.springframework.messaging.handler.annotation.Payload;
import org.springframework.messaging.handler.annotation.SendTo;
import org.springframework.scheduling.concurrent.ThreadPoolTaskScheduler;

/** Annotated listeners in an application context. */
class ListenerTest extends SpringTest {

    record Order(String id, int amount) {}

    record Invoice(String order, int total) {}

    /** The names one test uses, for the annotations' expressions. */
    public record Names(String queue, String exchange, String replies) {}

    private final Names names = new Names(queueName(), exchangeName(), queueName());

    @Configuration
    @EnableRabbit
    static class Common {
        @Bean
        RabbitAdmin admin(CachingConnectionFactory factory) {
            return new RabbitAdmin(factory);
        }

        @Bean
        Queue workQueue(Names names) {
            return new Queue(names.queue(), false);
        }

        @Bean
        Queue replyQueue(Names names) {
            return new Queue(names.replies(), false);
        }

        @Bean
        SimpleRabbitListenerContainerFactory rabbitListenerContainerFactory(CachingConnectionFactory factory) {
            return simple(factory);
        }

        private static SimpleRabbitListenerContainerFactory simple(CachingConnectionFactory factory) {
            SimpleRabbitListenerContainerFactory simple = new SimpleRabbitListenerContainerFactory();
            simple.setConnectionFactory(factory);
            simple.setReceiveTimeout(100L);
            return simple;
        }

        @Bean
        SimpleRabbitListenerContainerFactory json(CachingConnectionFactory factory) {
            SimpleRabbitListenerContainerFactory simple = simple(factory);
            simple.setMessageConverter(new JacksonJsonMessageConverter("leveret.clients.spring"));
            return simple;
        }

        @Bean
        SimpleRabbitListenerContainerFactory batches(CachingConnectionFactory factory) {
            SimpleRabbitListenerContainerFactory simple = simple(factory);
            simple.setBatchListener(true);
            simple.setConsumerBatchEnabled(true);
            simple.setBatchSize(10);
            simple.setPrefetchCount(50);
            return simple;
        }

        @Bean
        SimpleRabbitListenerContainerFactory publishedBatches(CachingConnectionFactory factory) {
            SimpleRabbitListenerContainerFactory simple = simple(factory);
            simple.setBatchListener(true);
            return simple;
        }

        @Bean
        DirectRabbitListenerContainerFactory direct(CachingConnectionFactory factory) {
            DirectRabbitListenerContainerFactory direct = new DirectRabbitListenerContainerFactory();
            direct.setConnectionFactory(factory);
            direct.setConsumersPerQueue(2);
            return direct;
        }
    }

    private AnnotationConfigApplicationContext run(Object listener) {
        AnnotationConfigApplicationContext context = new AnnotationConfigApplicationContext();
        context.registerBean("names", Names.class, () -> names);
        context.registerBean(CachingConnectionFactory.class, () -> factory);
        context.register(Common.class);
        registerAs(context, listener);
        context.refresh();
        return closeLater(context);
    }

    @SuppressWarnings("unchecked")
    private static <T> void registerAs(AnnotationConfigApplicationContext context, T listener) {
        context.registerBean("listener", (Class<T>) listener.getClass(), () -> listener);
    }

    static class Texts {
        final Seen<String> seen = new Seen<>();

        @RabbitListener(id = "texts", queues = "#{names.queue()}")
        void on(String text) {
            seen.add(text);
        }
    }

    @Test
    void aListenerReceives() throws Exception {
        Texts texts = new Texts();
        run(texts);
        send(names.queue(), "1", "2", "3");
        assertThat(texts.seen.next(3)).containsExactly("1", "2", "3");
    }

    @Test
    void aListenerStopsAndStarts() throws Exception {
        Texts texts = new Texts();
        var container = run(texts).getBean(RabbitListenerEndpointRegistry.class).getListenerContainer("texts");
        awaitCounts(names.queue(), 0, 1);
        container.stop();
        awaitCounts(names.queue(), 0, 0);
        send(names.queue(), "later");
        awaitCounts(names.queue(), 1, 0);
        container.start();
        assertThat(texts.seen.next()).isEqualTo("later");
    }

    static class Declaring {
        final Seen<String> seen = new Seen<>();

        @RabbitListener(bindings = @QueueBinding(
                value = @org.springframework.amqp.rabbit.annotation.Queue,
                exchange = @Exchange(value = "#{names.exchange()}", type = "topic", durable = "false"),
                key = {"orders.*", "invoices.#"}))
        void on(@Payload String text, @Header(AmqpHeaders.RECEIVED_ROUTING_KEY) String key) {
            seen.add(key + "=" + text);
        }
    }

    @Test
    void aListenerDeclaresWhatItNeeds() throws Exception {
        Declaring declaring = new Declaring();
        run(declaring);
        template.convertAndSend(names.exchange(), "orders.new", "o");
        template.convertAndSend(names.exchange(), "orders.new.too", "not bound");
        template.convertAndSend(names.exchange(), "invoices", "i");
        assertThat(declaring.seen.next(2)).containsExactly("orders.new=o", "invoices=i");
    }

    static class Replying {
        @RabbitListener(queues = "#{names.queue()}", containerFactory = "json")
        Invoice on(Order order) {
            return new Invoice(order.id(), order.amount() * 2);
        }
    }

    @Test
    void aJsonRequestIsAnsweredInJson() {
        run(new Replying());
        template.setMessageConverter(new JacksonJsonMessageConverter("leveret.clients.spring"));
        template.setReplyTimeout(WAIT_MS);
        for (int i = 1; i <= 10; i++) {
            assertThat(template.convertSendAndReceive("", names.queue(), new Order("o" + i, i)))
                    .isEqualTo(new Invoice("o" + i, i * 2));
        }
    }

    static class Forwarding {
        @RabbitListener(queues = "#{names.queue()}")
        @SendTo("#{names.replies()}")
        String on(String text) {
            return text + " forwarded";
        }
    }

    @Test
    void aResultIsSentOn() {
        run(new Forwarding());
        send(names.queue(), "x");
        assertThat(takeText(names.replies())).isEqualTo("x forwarded");
    }

    static class Batches {
        final Seen<List<String>> seen = new Seen<>();

        @RabbitListener(queues = "#{names.queue()}", containerFactory = "batches", autoStartup = "false", id = "batches")
        void on(List<String> texts) {
            seen.add(texts);
        }
    }

    @Test
    void aBatchListenerGetsSeveralAtOnceAndAcksThem() throws Exception {
        Batches batches = new Batches();
        var context = run(batches);
        admin.declareQueue(new Queue(names.queue(), false));
        for (int i = 0; i < 25; i++) {
            send(names.queue(), "m" + i);
        }
        awaitCounts(names.queue(), 25, 0);
        context.getBean(RabbitListenerEndpointRegistry.class).getListenerContainer("batches").start();
        int total = 0;
        int batchCount = 0;
        while (total < 25) {
            List<String> batch = batches.seen.next();
            assertThat(batch).first().isEqualTo("m" + total);
            assertThat(batch.size()).isBetween(1, 10);
            total += batch.size();
            batchCount++;
        }
        assertThat(batchCount).isLessThan(25);
        awaitCounts(names.queue(), 0, 1);
    }

    static class PublishedBatches {
        final Seen<List<String>> seen = new Seen<>();

        @RabbitListener(queues = "#{names.queue()}", containerFactory = "publishedBatches")
        void on(List<String> texts) {
            seen.add(texts);
        }
    }

    @Test
    void aBatchMadeByThePublisherIsTakenApart() throws Exception {
        PublishedBatches published = new PublishedBatches();
        run(published);
        ThreadPoolTaskScheduler scheduler = new ThreadPoolTaskScheduler();
        scheduler.initialize();
        closeLater(scheduler::shutdown);
        BatchingRabbitTemplate batching =
                new BatchingRabbitTemplate(factory, new SimpleBatchingStrategy(3, 10_000, 10_000), scheduler);
        for (String text : List.of("a", "b", "c")) {
            batching.convertAndSend("", names.queue(), text);
        }
        assertThat(published.seen.next()).containsExactly("a", "b", "c");
    }

    static class Directly {
        final Seen<String> seen = new Seen<>();

        @RabbitListener(queues = "#{names.queue()}", containerFactory = "direct")
        void on(Message message) {
            seen.add(message.getMessageProperties().getConsumerTag() + "|" + text(message));
        }
    }

    @Test
    void aDirectContainerHasSeveralConsumers() throws Exception {
        Directly directly = new Directly();
        run(directly);
        awaitCounts(names.queue(), 0, 2);
        for (int i = 0; i < 20; i++) {
            send(names.queue(), "m" + i);
        }
        assertThat(directly.seen.next(20).stream().map(s -> s.split("\\|")[0]).distinct()).hasSize(2);
    }

    static class Failing {
        @RabbitListener(queues = "#{names.queue()}", concurrency = "3", returnExceptions = "true")
        String on(String text) {
            throw new IllegalArgumentException("no " + text + " here");
        }
    }

    @Test
    void anExceptionTravelsBackToTheCaller() {
        run(new Failing());
        awaitCounts(names.queue(), 0, 3);
        template.setReplyTimeout(WAIT_MS);
        Message reply = template.sendAndReceive("", names.queue(),
                org.springframework.amqp.core.MessageBuilder.withBody("fish".getBytes())
                        .setContentType("text/plain").build());
        assertThat(reply).isNotNull();
        assertThat(reply.getMessageProperties().getContentType()).contains("serialized");
        awaitCounts(names.queue(), 0, 3);
    }
}
