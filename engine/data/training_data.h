#pragma once
// The data of a training run: what its configuration names, read and labelled.
#include "engine/config/training_config.h"
#include "engine/data/dataset.h"

namespace dsf {

struct TrainingData {
  /// As it was asked for, now with the classes and parameters that the data name.
  TrainingConfig config;
  Dataset training;
  Dataset validation;  // without files: no validation
  std::vector<std::string> notes =
      {};  // what the user should know, though nothing is wrong with it
};

/// Reads all files of the training and, if there is any, the validation data.
///
/// With a data frame (data_frame.h), it names the files below data_dir, and its classes and
/// parameters are the model's. The validation frame must have the same parameters, in any order,
/// and no class that is not among them. Without one, every .dac file of the folder counts, in the
/// order of their names, which say class and parameter (file_name_conditioning.h); those in folders
/// below it and those that end with .DAC do not, and a note counts them. The parameter is called as
/// parameter_names says, else as all file names agree, else param1.
///
/// Files of more codebooks than the named codec has are a fault where that is there to be looked
/// at; a note says that it cannot be read.
///
/// Everything that is wrong goes to `faults`; then the data are incomplete.
TrainingData load_training_data(TrainingConfig config, Faults& faults);

/// The same, or an Error that shows the first few faults.
TrainingData load_training_data(TrainingConfig config);

}  // namespace dsf
