//! From flags to a configuration: that of a file, or of a small network, with what the flags say put in.

use elision::Activation;

use crate::args::TrainArgs;
use crate::config::{Config, Data, Dense, Kind, Layer, Model, Optimizer, RuleName, Train};

impl TrainArgs {
    /// The configuration that the flags ask for, complete.
    pub(crate) fn configuration(&self) -> Result<Config, String> {
        let base = match &self.config {
            Some(path) => Config::read(path)?,
            None => self.small_network(),
        };
        self.put_into(base).map_err(|fault| match &self.config {
            Some(path) if !fault.starts_with("--") => format!("{}: {fault}", path.display()),
            _ => fault,
        })
    }

    /// A configuration with the flags put in.
    pub(crate) fn put_into(&self, mut config: Config) -> Result<Config, String> {
        self.data(&mut config);
        self.rates(&mut config)?;
        self.rate_patterns(&mut config.model)?;
        self.optimizer(&mut config.optimizer)?;
        let train = &mut config.train;
        if let Some(epochs) = self.epochs {
            train.epochs = Some(epochs.get());
        }
        if let Some(batch) = self.batch {
            train.batch = batch.get();
        }
        if self.schedule.is_some() {
            train.rate_schedule.clone_from(&self.schedule);
        }
        train.rate_factor |= self.schedule_factor;
        train.threads = self.threads.or(train.threads);
        config.seed = self.seed.unwrap_or(config.seed);
        config.complete()
    }

    /// Linear layers, each with dropout, and a run without it for comparison.
    fn small_network(&self) -> Config {
        let hidden = self.layers.as_deref().unwrap_or(&[256, 256]);
        let dense = |units, activation, dropout| {
            Kind::Linear(Dense {
                units,
                activation,
                dropout,
                residual: false,
                bias: true,
            })
        };
        let activation = self.activation.unwrap_or(Activation::Relu);
        let mut layers = vec![Layer::new("input", Kind::Dropout(0.2))];
        for (i, &units) in (1..).zip(hidden) {
            let kind = dense(Some(units), activation, Some(0.5));
            layers.push(Layer::new(format!("hidden{i}"), kind));
        }
        let output = dense(None, Activation::Identity, None);
        layers.push(Layer::new("output", output));
        Config {
            seed: 1,
            data: Data::default(),
            model: Model {
                layers,
                ..Model::default()
            },
            optimizer: Optimizer::default(),
            train: Train {
                compare: true,
                ..Train::default()
            },
        }
    }

    fn data(&self, config: &mut Config) {
        let data = &mut config.data;
        if let Some(set) = self.data.clone().filter(|set| *set != data.set) {
            *data = Data {
                set,
                validation: data.validation,
                ..Data::default()
            };
        }
        if self.data_dir.is_some() {
            data.dir.clone_from(&self.data_dir);
        }
        if self.label.is_some() {
            data.label.clone_from(&self.label);
        }
        data.header &= !self.no_header;
        data.test_fraction = self.test_fraction.or(data.test_fraction);
        data.validation = self.validation.or(data.validation);
    }

    fn rates(&self, config: &mut Config) -> Result<(), String> {
        if self.no_dropout {
            *config = config.without_dropout();
            config.train.compare = false;
            return Ok(());
        }
        if let Some(rate) = self.input_rate {
            match config.model.input_rate_mut() {
                Some(input) => *input = rate,
                None => {
                    return Err("--input-rate: the model's first layer is no dropout".to_owned());
                }
            }
        }
        let Some(rates) = &self.rates else {
            return Ok(());
        };
        let skip = usize::from(config.model.drops_input());
        let count = config.model.rates().len() - skip;
        let each = match rates.as_slice() {
            &[one] => vec![one; count],
            each if each.len() == count => each.to_vec(),
            each => {
                let given = each.len();
                return Err(format!("--rates: {given} rates for {count} hidden layers"));
            }
        };
        let (mut at, mut each) = (0, each.into_iter());
        config.model.for_each_rate_mut(&mut |rate| {
            if at >= skip {
                *rate = each.next().unwrap_or(*rate);
            }
            at += 1;
        });
        Ok(())
    }

    fn rate_patterns(&self, model: &mut Model) -> Result<(), String> {
        model.dropout_method = self.dropout_method.unwrap_or(model.dropout_method);
        for (pattern, p) in &self.rate_pattern {
            if !model.set_rates(pattern, *p) {
                return Err(format!(
                    "--rate-pattern: no layer that can drop matches {pattern:?}"
                ));
            }
        }
        Ok(())
    }

    fn optimizer(&self, optimizer: &mut Optimizer) -> Result<(), String> {
        if let Some(rule) = self.optimizer.filter(|rule| *rule != optimizer.rule) {
            // The numbers of the file are another rule's.
            *optimizer = Optimizer {
                rule,
                learning_rate: None,
                momentum: None,
                nesterov: None,
                beta1: None,
                beta2: None,
                epsilon: None,
                ..optimizer.clone()
            };
        }
        if self.momentum.is_some() && optimizer.rule != RuleName::Sgd {
            let rule = optimizer.rule.name();
            return Err(format!("--momentum: {rule} has none; add --optimizer sgd"));
        }
        optimizer.learning_rate = self.learning_rate.or(optimizer.learning_rate);
        optimizer.momentum = self.momentum.or(optimizer.momentum);
        optimizer.max_norm = self.max_norm.or(optimizer.max_norm);
        optimizer.weight_decay = self.weight_decay.unwrap_or(optimizer.weight_decay);
        if let Some(schedule) = &self.lr_schedule {
            optimizer.schedule.clone_from(schedule);
        }
        Ok(())
    }
}
